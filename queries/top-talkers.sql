-- title: Connections that moved the most bytes
-- description: >
--   TCP connections by what they have sent and received since they began, with the process and the
--   rate at which data was delivered last.
-- tags: [network, performance]
-- params:
--   limit: {type: integer, default: 20, description: How many connections to show.}
select pid, name, coalesce(username(euid), euid) as user, src, sport, dst, dport,
       bytes_sent, bytes_received, delivery_rate, rtt
from (select inode, min(pid) as pid, src, sport, dst, dport, bytes_sent, bytes_received,
             delivery_rate, rtt
      from sockets join fds using (inode)
      where protocol = 'tcp' and state not in ('LISTEN', 'TIME_WAIT', 'SYN_RECV')
      group by inode)
    join processes using (pid)
order by coalesce(bytes_sent, 0) + coalesce(bytes_received, 0) desc, sport
limit :limit
