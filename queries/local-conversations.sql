-- title: Who talks to whom on this host
-- description: >
--   Which programs are connected to which others, by sockets, pipes and the like, and how often.
--   A program that only talks to itself is left out.
-- tags: [network, inventory, dependencies]
select a.name, kind, b.name as peer_name, count(*) as connections,
       count(distinct a.pid) as processes, count(distinct b.pid) as peer_processes
from endpoints join processes as a on a.pid = endpoints.pid
    join processes as b on b.pid = endpoints.peer_pid
where kind in ('tcp', 'udp', 'unix', 'vsock', 'pipe', 'fifo', 'mqueue', 'pty') and a.pid <> b.pid
  and (a.name < b.name or a.name = b.name and a.pid < b.pid)
group by a.name, kind, b.name
order by connections desc, a.name, kind, peer_name
