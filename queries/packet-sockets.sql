-- title: Packet sockets
-- description: >
--   They see what passes the network interfaces, other programs' packets included: whoever has one
--   can read along.
-- tags: [network, sniffer, incident]
-- severity: medium
-- kind: audit
-- keys: [user, path, protocol]
-- false positives:
--   - DHCP clients (systemd-networkd, NetworkManager, dhclient), lldpd, hostapd and
--     wpa_supplicant; tcpdump and intrusion detection at work.
-- references:
--   - https://attack.mitre.org/techniques/T1040/
--   - https://man7.org/linux/man-pages/man7/packet.7.html
select pid, name, coalesce(username(euid), euid) as user, path, protocol, socktype, interface,
       socket_filter is not null as filtered
from sockets join fds using (inode) join processes using (pid)
where family = 'packet'
group by pid, inode
