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
with listening as materialized (
    select distinct netns, sport from sockets where protocol = 'tcp' and state = 'LISTEN'
)
select netns, dst, sport, service(sport, 'tcp') as service, count(*) as connections
from sockets as own
where protocol = 'tcp' and state in ('ESTABLISHED', 'SYN_RECV', 'CLOSE_WAIT')
  and sport in (select sport from listening)
group by netns, dst, sport
having count(*) > :more_than
   and exists (
      select 1 from listening where listening.sport = own.sport and listening.netns is own.netns
  )
