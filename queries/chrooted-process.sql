-- title: Processes with another root directory
-- description: >
--   They see a part of the file system as if it were the whole. Containers are not among them:
--   their root directory is a mount of its own.
-- tags: [process, namespace]
-- severity: info
-- kind: audit
-- keys: [user, path, root]
-- false positives:
--   - Services that lock themselves up (openssh before login, postfix, bind), sandboxes of browsers,
--     installers, builds.
-- references:
--   - https://man7.org/linux/man-pages/man2/chroot.2.html
select pid, name, coalesce(username(euid), euid) as user, path, root
from processes
where root <> '/'
