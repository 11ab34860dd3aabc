-- title: Clients with very many connections to one port
-- description: >
--   One address has more connections to a port than a client needs: it floods the service, does not
--   close what it opens, or many hosts are behind it.
-- tags: [network, incident, troubleshooting]
-- severity: medium
-- kind: audit
-- keys: [dst, sport]
-- params:
--   more_than: {type: integer, default: 200, description: Connections of one client that are tolerated.}
-- false positives:
--   - Proxies, load balancers, and networks behind one address; pools of connections.
-- references:
--   - https://attack.mitre.org/techniques/T1499/002/
select own.netns, own.dst, own.sport, service(own.sport, 'tcp') as service,
       count(*) as connections
from sockets as own
where own.protocol = 'tcp' and own.state in ('ESTABLISHED', 'SYN_RECV', 'CLOSE_WAIT')
  and exists (
      select 1 from sockets as listener
      where listener.state = 'LISTEN' and listener.protocol = 'tcp'
        and listener.sport = own.sport and listener.netns is own.netns
  )
group by own.netns, own.dst, own.sport
having count(*) > :more_than
