-- title: Raw sockets
-- description: >
--   They send and receive whole packets of a protocol of IP, of any sender. Programs that measure
--   or route need them, and so do scanners and back doors that wait for a certain packet.
-- tags: [network, sniffer, incident]
-- severity: medium
-- kind: audit
-- keys: [user, path, protocol, ip_protocol]
-- false positives:
--   - ping and traceroute, routing daemons (OSPF, VRRP), and what waits for router
--     advertisements (systemd-networkd, NetworkManager, radvd).
-- references:
--   - https://attack.mitre.org/techniques/T1205/
select pid, name, coalesce(username(euid), euid) as user, path, protocol, ip_protocol, src, dst,
       interface
from sockets join fds using (inode) join processes using (pid)
where family in ('inet', 'inet6') and socktype = 'raw'
group by pid, inode
