-- title: Connections between containers
-- description: >
--   Which containers of this host are connected with one another, or with the host itself, by which
--   protocol, and which programs at both ends.
-- tags: [network, container, inventory]
select a.container_id, a.name, a.pid, kind, b.container_id as peer_container_id,
       b.name as peer_name, b.pid as peer_pid, count(*) as connections
from endpoints join processes as a on a.pid = endpoints.pid
    join processes as b on b.pid = endpoints.peer_pid
where kind in ('tcp', 'udp', 'unix', 'vsock') and a.container_id is not null
  and a.container_id is not b.container_id
group by a.pid, kind, b.pid
order by a.container_id, a.pid, kind, b.pid
