-- title: Listeners in network namespaces outside of containers
-- description: >
--   They do not show in a list of the host's ports, as ss and netstat make it. The namespace of
--   reference is that of the first process that can be read.
-- tags: [network, namespace, listening, incident]
-- severity: low
-- kind: audit
-- keys: [protocol, sport, path]
-- false positives:
--   - Routers, VPNs and tests that live in namespaces; PrivateNetwork= of systemd.
-- references:
--   - https://man7.org/linux/man-pages/man7/network_namespaces.7.html
select protocol, src, sport, pid, listening.name, coalesce(username(euid), euid) as user, path,
       listening.netns
from listening left join processes using (pid)
where family in ('inet', 'inet6') and container_id is null
  and listening.netns <> (
      select ns_net from processes where ns_net is not null order by pid limit 1
  )
group by inode, pid
