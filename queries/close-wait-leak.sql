-- title: Programs that do not close their connections
-- description: >
--   The peer has hung up and the program has not called close(2), for many connections at once: it
--   forgets them, and ends when it has no descriptors left.
-- tags: [network, leak, troubleshooting]
-- severity: medium
-- kind: audit
-- keys: [user, path]
-- params:
--   more_than: {type: integer, default: 20, description: Such connections that are tolerated.}
-- false positives:
--   - Programs that still send what was asked for, to peers that have shut down their side.
select pid, name, coalesce(username(euid), euid) as user, path, count(*) as close_wait,
       fd_count, limit_nofile
from (select distinct inode, pid from sockets join fds using (inode) where state = 'CLOSE_WAIT')
    join processes using (pid)
group by pid
having count(*) > :more_than
