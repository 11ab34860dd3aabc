-- title: Processes in a user namespace of their own, outside of containers
-- description: >
--   In a user namespace everyone has all capabilities, and can reach code of the kernel that is
--   closed to them otherwise: many exploits for the kernel begin with one. The namespace of
--   reference is that of the first process that can be read.
-- tags: [process, namespace, hardening]
-- severity: low
-- kind: audit
-- keys: [user, path]
-- false positives:
--   - Sandboxes of browsers, flatpak (bubblewrap), rootless containers, PrivateUsers= of systemd.
-- references:
--   - https://man7.org/linux/man-pages/man7/user_namespaces.7.html
select pid, name, coalesce(username(euid), euid) as user, path, cmdline, ns_user, systemd_unit
from processes
where container_id is null
  and ns_user <> (select ns_user from processes where ns_user is not null order by pid limit 1)
