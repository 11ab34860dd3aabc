-- title: Connections that lose packets
-- description: >
--   TCP connections that had to send something again, by the share of the bytes that were sent more
--   than once.
-- tags: [network, performance, troubleshooting]
-- params:
--   segments: {type: integer, default: 1, description: Retransmitted segments from which on to show.}
select pid, name, src, sport, dst, dport, state, total_retrans, retrans as in_flight,
       bytes_sent, bytes_retrans,
       round(100.0 * bytes_retrans / nullif(bytes_sent, 0), 2) as percent, rtt, rttvar, ca_state
from sockets left join fds using (inode) left join processes using (pid)
where protocol = 'tcp' and total_retrans >= :segments
group by cookie, pid
order by percent desc, total_retrans desc
