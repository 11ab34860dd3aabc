-- title: Peers with very many connections in TIME_WAIT
-- description: >
--   Each connection that this host closed keeps its ports for a minute. With too many to one peer
--   there is no port left for the next: the connections should be kept and used again.
-- tags: [network, troubleshooting]
-- severity: low
-- kind: audit
-- keys: [dst, dport]
-- params:
--   more_than: {type: integer, default: 10000, description: Connections to one port that are tolerated.}
-- false positives:
--   - Load tests.
select netns, dst, dport, service(dport, protocol) as service, count(*) as time_wait
from sockets
where protocol = 'tcp' and state = 'TIME_WAIT'
group by netns, dst, dport
having count(*) > :more_than
