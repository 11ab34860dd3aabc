-- title: Sockets that lost packets
-- description: >
--   The kernel dropped what came for the socket, mostly because its buffer was full: the program
--   reads too slowly, or the buffer (SO_RCVBUF) is too small for the bursts that come.
-- tags: [network, troubleshooting]
-- severity: medium
-- kind: audit
-- keys: [path, protocol, sport]
-- params:
--   more_than: {type: integer, default: 1000, description: Packets that may be lost.}
-- false positives:
--   - The count is since the socket was made; a burst long ago stays in it.
--   - TCP counts segments that a filter or checksum refused, netlink and packet sockets what nobody read.
select pid, name, coalesce(username(euid), euid) as user, path, family, protocol, src, sport, drops,
       recv_queue, rcvbuf
from sockets left join fds using (inode) left join processes using (pid)
where drops > :more_than
group by cookie, pid
order by drops desc
