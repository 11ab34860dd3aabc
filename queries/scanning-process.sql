-- title: Programs that try to reach much that does not answer
-- description: >
--   Many connections of one program wait for the first answer at once: it looks for hosts or ports,
--   or what it depends on is down.
-- tags: [network, scan, incident, troubleshooting]
-- severity: high
-- kind: audit
-- keys: [user, path]
-- params:
--   more_than: {type: integer, default: 20, description: Unanswered connections that are tolerated.}
-- false positives:
--   - Monitoring and crawlers; a service whose database is down.
-- references:
--   - https://attack.mitre.org/techniques/T1046/
select pid, name, coalesce(username(euid), euid) as user, path, count(*) as unanswered,
       count(distinct dst) as hosts, count(distinct dport) as ports
from (select distinct inode, pid, dst, dport
      from sockets join fds using (inode) where state = 'SYN_SENT')
    join processes using (pid)
group by pid
having count(*) > :more_than
