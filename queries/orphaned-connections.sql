-- title: Peers with many connections that no process has any more
-- description: >
--   The program has closed them and the kernel still tries to deliver what it sent, or waits for the
--   peer to close as well. Many of them take memory that the kernel gives out sparingly
--   (net.ipv4.tcp_max_orphans).
-- tags: [network, leak, troubleshooting]
-- severity: low
-- kind: audit
-- keys: [dst]
-- params:
--   more_than: {type: integer, default: 100, description: Such connections with one peer that are tolerated.}
-- false positives:
--   - Servers of many clients that vanish without a word (mobile networks).
-- references:
--   - https://man7.org/linux/man-pages/man7/tcp.7.html
select netns, dst, count(*) as orphans, sum(send_queue) as send_queue,
       group_concat(distinct state) as states
from sockets
where protocol = 'tcp' and inode is null
  and state in ('FIN_WAIT1', 'FIN_WAIT2', 'LAST_ACK', 'CLOSING')
group by netns, dst
having count(*) > :more_than
