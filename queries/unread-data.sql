-- title: Programs that do not read what they received
-- description: >
--   Much has arrived that the program has not read: it is too slow, hangs, or has forgotten the
--   socket. UDP sockets lose packets when their buffer is full.
-- tags: [network, troubleshooting]
-- severity: medium
-- kind: audit
-- keys: [path, protocol, sport]
-- params:
--   bytes: {type: integer, default: 1000000, description: Bytes in the queue that are remarkable.}
-- false positives:
--   - Programs that are paused, or let the peer wait on purpose.
select pid, name, coalesce(username(euid), euid) as user, path, status,
       coalesce(protocol, family) as protocol, src, sport, dst, dport, recv_queue
from sockets cross join fds using (inode) join processes using (pid)
where recv_queue >= :bytes
group by pid, inode
