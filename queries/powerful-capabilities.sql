-- title: Processes of users that have nearly the rights of root
-- description: >
--   Capabilities with which a process that is not root's can become root, read everything, load
--   code into the kernel or listen to the network. Those that hold in a user namespace of its own
--   alone are left out, and services that come with these rights.
-- tags: [process, privileges, hardening]
-- severity: medium
-- kind: audit
-- keys: [user, path, capabilities]
-- params:
--   capable_programs:
--     type: table
--     columns: [path]
--     description: Programs that may have them.
--     default:
--       - [/usr/lib/systemd/systemd-networkd]
--       - [/usr/lib/systemd/systemd-resolved]
--       - [/usr/lib/systemd/systemd-oomd]
--       - [/usr/sbin/dnsmasq]
--       - [/usr/bin/dnsmasq]
--       - [/usr/libexec/rtkit-daemon]
--       - [/usr/lib/rtkit-daemon]
-- false positives:
--   - Services that were given what they need, by AmbientCapabilities= or setcap(8).
-- references:
--   - https://man7.org/linux/man-pages/man7/capabilities.7.html
select pid, name, coalesce(username(euid), euid) as user, path,
       capabilities(cap_effective) as capabilities, systemd_unit
from processes
where euid <> 0
  and capabilities(cap_effective) regexp 'cap_(chown|dac_override|dac_read_search|fowner|setuid|setgid|setfcap|sys_module|sys_rawio|sys_ptrace|sys_admin|net_admin|net_raw|bpf|mac_admin|mac_override)\b'
  and coalesce(path, '') not in (select path from capable_programs)
  and ns_user = (select ns_user from processes where ns_user is not null order by pid limit 1)
