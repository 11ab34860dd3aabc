-- title: Who listens on which port
-- description: >
--   Each TCP port that is listened on and each UDP port that is bound, the process behind it, its
--   user, the name that is registered for the port, and the container if it is in one.
-- tags: [network, listening, inventory]
select protocol, src, sport, service(sport, protocol) as service, listening.pid, listening.name,
       coalesce(username(euid), euid) as user, path, container_id, listening.netns
from listening left join processes using (pid)
where family in ('inet', 'inet6')
group by inode, listening.pid, netns, protocol, src, sport
order by sport, protocol, src, listening.pid
