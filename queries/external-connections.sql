-- title: Connections that leave the private networks
-- description: >
--   Who of this host talks to addresses of the Internet, by process and peer: what is neither of
--   this host, nor of a private or shared network, nor link-local, nor multicast.
-- tags: [network, inventory, incident]
-- references:
--   - https://www.iana.org/assignments/iana-ipv4-special-registry/
select name, path, coalesce(username(euid), euid) as user, protocol, dst, dport,
       service(dport, protocol) as service, count(distinct inode) as connections,
       group_concat(distinct pid) as pids
from sockets join fds using (inode) join processes using (pid)
where family in ('inet', 'inet6') and dst is not null
  and not (inet_in(dst, '127.0.0.0/8') or inet_in(dst, '10.0.0.0/8')
           or inet_in(dst, '172.16.0.0/12') or inet_in(dst, '192.168.0.0/16')
           or inet_in(dst, '169.254.0.0/16') or inet_in(dst, '100.64.0.0/10')
           or inet_in(dst, '224.0.0.0/4') or inet_in(dst, '::1') or inet_in(dst, 'fc00::/7')
           or inet_in(dst, 'fe80::/10') or inet_in(dst, 'ff00::/8'))
group by name, path, user, protocol, dst, dport
order by connections desc, name, dst, dport
