-- title: Connections on which nothing has happened for long
-- description: >
--   Neither end has sent data for that time, and keepalive does not ask whether the peer is still
--   there: the connection may be dead without anybody knowing.
-- tags: [network, leak, troubleshooting]
-- severity: low
-- kind: audit
-- keys: [path, dst, dport]
-- params:
--   seconds: {type: integer, default: 86400, description: How long nothing has to have happened.}
-- false positives:
--   - Connections that wait for a rare event, as those of databases that notify.
select pid, name, coalesce(username(euid), euid) as user, path, src, sport, dst, dport,
       min(last_data_sent, last_data_recv) / 1000 as idle
from sockets join fds using (inode) join processes using (pid)
where protocol = 'tcp' and state = 'ESTABLISHED' and timer = 'off'
  and last_data_sent >= :seconds * 1000 and last_data_recv >= :seconds * 1000
group by pid, inode
order by idle desc
