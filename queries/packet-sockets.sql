-- title: Packet sockets
-- description: >
--   They see what passes the network interfaces, other programs' packets included: whoever has one
--   can read along. Programs that need one for DHCP, LLDP or a wireless network are left out.
-- tags: [network, sniffer, incident]
-- severity: medium
-- kind: audit
-- keys: [user, path, protocol]
-- params:
--   packet_programs:
--     type: table
--     columns: [path]
--     description: Programs that may have one.
--     default:
--       - [/usr/lib/systemd/systemd-networkd]
--       - [/usr/sbin/NetworkManager]
--       - [/usr/bin/NetworkManager]
--       - [/usr/sbin/dhclient]
--       - [/usr/sbin/dhcpcd]
--       - [/usr/bin/dhcpcd]
--       - [/usr/sbin/lldpd]
--       - [/usr/bin/lldpd]
--       - [/usr/sbin/wpa_supplicant]
--       - [/usr/bin/wpa_supplicant]
--       - [/usr/sbin/hostapd]
--       - [/usr/bin/hostapd]
-- false positives:
--   - DHCP servers and clients at other paths; tcpdump and intrusion detection at work.
-- references:
--   - https://attack.mitre.org/techniques/T1040/
--   - https://man7.org/linux/man-pages/man7/packet.7.html
select pid, name, coalesce(username(euid), euid) as user, path, protocol, socktype, interface,
       socket_filter is not null as filtered
from sockets join fds using (inode) join processes using (pid)
where family = 'packet' and coalesce(path, '') not in (select path from packet_programs)
group by pid, inode
