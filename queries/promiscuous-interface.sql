-- title: Interfaces that take every packet
-- description: >
--   In promiscuous mode an interface hands over packets that are for other machines: somebody reads
--   along, mostly by a packet socket. Ports of a bridge are left out, for they have to.
-- tags: [network, sniffer, incident]
-- severity: high
-- kind: audit
-- keys: [interface]
-- false positives:
--   - tcpdump, intrusion detection, hypervisors and macvlan at work.
-- references:
--   - https://attack.mitre.org/techniques/T1040/
select netns, interface, link_kind, mac, interface_flags, promiscuity
from interfaces
where promiscuity > 0 and master is null
