-- title: What containers listen on
-- description: >
--   Each port that is listened on in a container, by container, with the process as the host sees
--   it and the network namespace where the port is.
-- tags: [network, listening, container, inventory]
select container_runtime, container_id, pod_uid, listening.netns, protocol, src, sport, pid,
       listening.name, path
from listening join processes using (pid)
where family in ('inet', 'inet6') and container_id is not null
group by inode, pid
order by container_runtime, container_id, sport, pid
