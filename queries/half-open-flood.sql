-- title: Ports with very many half-open connections
-- description: >
--   Clients began a connection and did not go on. When many do so at once, somebody floods the
--   port (SYN flood), or answers do not find their way back.
-- tags: [network, listening, incident, troubleshooting]
-- severity: high
-- kind: audit
-- keys: [src, sport]
-- params:
--   more_than: {type: integer, default: 100, description: Half-open connections that are tolerated.}
-- false positives:
--   - TCP_DEFER_ACCEPT, with which a connection is half-open until data comes.
-- references:
--   - https://attack.mitre.org/techniques/T1499/001/
select netns, src, sport, service(sport, protocol) as service, count(*) as half_open,
       count(distinct dst) as clients
from sockets
where protocol = 'tcp' and state = 'SYN_RECV'
group by netns, src, sport
having count(*) > :more_than
