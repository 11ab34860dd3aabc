-- title: Gateways whose hardware address others have too
-- description: >
--   The neighbour with the gateway's IP address has the same hardware address as another neighbour
--   on the same link: somebody may have put himself in between by false ARP answers. Of IPv6 addresses
--   those of one scope are compared, for everyone has a link-local one and others.
-- tags: [network, incident]
-- severity: high
-- kind: audit
-- keys: [interface, gateway, other]
-- false positives:
--   - A gateway with several addresses, or a proxy for them (VRRP, proxy ARP, networks of clouds).
-- references:
--   - https://attack.mitre.org/techniques/T1557/002/
select distinct n.netns, n.interface, gateway, n.mac, o.address as other
from routes join neighbors as n on n.address = gateway and n.interface = routes.interface
        and n.netns is routes.netns
    join neighbors as o on o.mac = n.mac and o.interface = n.interface and o.netns is n.netns
where routes.prefix_length = 0 and gateway is not null and o.address <> n.address
  and o.family = n.family
  and inet_in(o.address, 'fe80::/10') = inet_in(n.address, 'fe80::/10')
