-- title: Connections whose peer does not acknowledge
-- description: >
--   What was sent has been repeated again and again without an answer: the peer or the way to it is
--   gone, and the program will only learn so when the kernel gives up, in about a quarter of an
--   hour.
-- tags: [network, troubleshooting]
-- severity: medium
-- kind: audit
-- keys: [path, dst, dport]
-- params:
--   at_least: {type: integer, default: 5, description: Retransmissions in a row that are remarkable.}
-- false positives:
--   - Mobile clients that will be back in a moment.
-- references:
--   - https://www.rfc-editor.org/rfc/rfc6298
select pid, name, coalesce(username(euid), euid) as user, path, state, src, sport, dst, dport,
       send_queue, tcp_retransmits as retransmits
from sockets left join fds using (inode) left join processes using (pid)
where protocol = 'tcp' and tcp_retransmits >= :at_least
group by cookie, pid
