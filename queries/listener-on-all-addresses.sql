-- title: Ports that are open on all addresses
-- description: >
--   A listener that was bound to no address serves every network that the host is in. What only
--   programs of this host talk to belongs to 127.0.0.1 or ::1.
-- tags: [network, listening, exposure]
-- severity: low
-- kind: audit
-- keys: [protocol, sport, path]
-- false positives:
--   - Services that are meant for others; put them into a baseline.
--   - UDP sockets of clients, on ports that the kernel chose.
select protocol, src, sport, service(sport, protocol) as service, pid, listening.name,
       coalesce(username(euid), euid) as user, path, container_id
from listening left join processes using (pid)
where src in ('0.0.0.0', '::') and interface is null
group by inode, pid
