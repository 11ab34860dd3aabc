-- title: Listeners on ports that no service is registered for
-- description: >
--   The port has no name in services(5), and can be reached from other hosts. Back doors are often
--   among these, and so are services that somebody set up by hand.
-- tags: [network, listening, incident]
-- severity: info
-- kind: audit
-- keys: [protocol, sport, path]
-- false positives:
--   - Services of one's own; put them into a baseline.
--   - Ports that the kernel chose, of NFS and other remote procedure calls.
-- references:
--   - https://attack.mitre.org/techniques/T1571/
select protocol, src, sport, pid, listening.name, coalesce(username(euid), euid) as user, path,
       container_id
from listening left join processes using (pid)
where protocol = 'tcp' and service(sport, 'tcp') is null
  and not inet_in(src, '127.0.0.0/8') and src <> '::1'
group by inode, pid
