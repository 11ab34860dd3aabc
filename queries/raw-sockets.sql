-- title: Raw sockets
-- description: >
--   They send and receive whole packets of a protocol of IP, of any sender. Programs that measure
--   or route need them, and so do scanners and back doors that wait for a certain packet. Programs
--   that wait for router advertisements are left out.
-- tags: [network, sniffer, incident]
-- severity: medium
-- kind: audit
-- keys: [user, path, protocol, ip_protocol]
-- params:
--   raw_programs:
--     type: table
--     columns: [path]
--     description: Programs that may have one.
--     default:
--       - [/usr/lib/systemd/systemd-networkd]
--       - [/usr/sbin/NetworkManager]
--       - [/usr/bin/NetworkManager]
--       - [/usr/sbin/dhcpcd]
--       - [/usr/bin/dhcpcd]
--       - [/usr/sbin/radvd]
--       - [/usr/bin/radvd]
-- false positives:
--   - ping and traceroute at work, routing daemons (OSPF, VRRP).
-- references:
--   - https://attack.mitre.org/techniques/T1205/
select pid, name, coalesce(username(euid), euid) as user, path, protocol, ip_protocol, src, dst,
       interface
from sockets join fds using (inode) join processes using (pid)
where family in ('inet', 'inet6') and socktype = 'raw'
  and coalesce(path, '') not in (select path from raw_programs)
group by pid, inode
