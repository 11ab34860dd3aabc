-- title: Processes that use io_uring
-- description: >
--   What is done through io_uring(7) is no system call of its own, so that seccomp filters and
--   monitoring of system calls do not see it; its code has had many holes. Servers can do without,
--   and the sysctl kernel.io_uring_disabled turns it off.
-- tags: [kernel, hardening]
-- severity: low
-- kind: audit
-- keys: [user, path]
-- false positives:
--   - Databases, virtual machines and runtimes that are built for it.
-- references:
--   - https://man7.org/linux/man-pages/man7/io_uring.7.html
select pid, name, coalesce(username(euid), euid) as user, path, count(*) as rings
from fds join processes using (pid)
where type = 'io_uring'
group by pid
