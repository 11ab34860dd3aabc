-- title: Descriptors that were sent and not received
-- description: >
--   They wait in a unix socket, and no list of open files shows them: files, and listening sockets,
--   can be kept open this way without any process having them. Most are picked up at once, so that
--   the same rows again a minute later mean something.
-- tags: [files, rootkit, leak]
-- severity: low
-- kind: audit
-- keys: [path, target]
-- false positives:
--   - Programs that are just handing over a descriptor, Wayland and D-Bus clients above all.
-- references:
--   - https://man7.org/linux/man-pages/man7/unix.7.html
select pid, name, coalesce(username(euid), euid) as user, path, fd, target, scm_fds as descriptors
from sockets join fds using (inode) join processes using (pid)
where family = 'unix' and scm_fds > 0
