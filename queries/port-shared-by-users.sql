-- title: Ports that different users share
-- description: >
--   Sockets of two users are bound to the same port of the same address, or one of them to that
--   port on all addresses. With SO_REUSEADDR the kernel allows it for UDP, where the later one takes
--   the packets away from the other; with SO_REUSEPORT it asks that both are of one user. Ports of
--   multicast, mDNS (5353) and SSDP (1900), are left out: many programs listen there.
-- tags: [network, listening, incident]
-- severity: high
-- kind: audit
-- keys: [protocol, sport, user, other_user]
-- false positives:
--   - Other ports of multicast, for which this is meant.
-- references:
--   - https://man7.org/linux/man-pages/man7/socket.7.html
with bound as materialized (
    select netns, family, protocol, src, sport, socket_uid, inode,
           src in ('0.0.0.0', '::') as all_addresses
    from sockets
    where state in ('LISTEN', 'UNCONN') and family in ('inet', 'inet6') and sport is not null
      and sport not in (1900, 5353)
)
select a.protocol, a.src, a.sport, coalesce(username(a.socket_uid), a.socket_uid) as user,
       (select min(pid) from fds where fds.inode = a.inode) as pid,
       b.src as other_src, coalesce(username(b.socket_uid), b.socket_uid) as other_user,
       (select min(pid) from fds where fds.inode = b.inode) as other_pid, a.netns
from bound as a
    join bound as b on b.sport = a.sport and b.protocol = a.protocol and b.family = a.family
        and b.netns is a.netns and b.socket_uid > a.socket_uid
        and (b.src = a.src or a.all_addresses or b.all_addresses)
