-- title: Open services that trust whoever reaches them
-- description: >
--   Databases, debuggers and the like that trust whoever reaches them, or do until somebody
--   configures them otherwise, listen on more than the host's own addresses.
-- tags: [network, listening, exposure]
-- severity: high
-- kind: audit
-- keys: [protocol, sport, path]
-- false positives:
--   - The service asks for a password or certificate, or a firewall keeps others away.
--   - A container's port (container_id), which is open to its network, and to others when published.
-- references:
--   - https://attack.mitre.org/techniques/T1133/
with services (port, what) as (
    values (111, 'rpcbind'), (873, 'rsync'), (1099, 'Java RMI'), (2049, 'NFS'), (2181, 'ZooKeeper'),
           (2375, 'Docker'), (2379, 'etcd'), (3306, 'MySQL'), (4369, 'Erlang port mapper'),
           (5005, 'Java debugger'), (5432, 'PostgreSQL'), (5601, 'Kibana'), (5900, 'VNC'),
           (5984, 'CouchDB'), (6000, 'X11'), (6379, 'Redis'), (7474, 'Neo4j'), (8086, 'InfluxDB'),
           (8500, 'Consul'), (8888, 'Jupyter'), (9042, 'Cassandra'), (9092, 'Kafka'),
           (9200, 'Elasticsearch'), (9229, 'Node.js debugger'), (10255, 'kubelet'),
           (11211, 'memcached'), (27017, 'MongoDB')
)
select what, protocol, src, sport, pid, listening.name, coalesce(username(euid), euid) as user, path,
       container_id
from services join listening on sport = port left join processes using (pid)
where family in ('inet', 'inet6') and not inet_in(src, '127.0.0.0/8') and src <> '::1'
  -- A client's UDP socket may have any port.
  and (protocol <> 'udp' or sport in (111, 2049, 11211))
group by inode, pid
