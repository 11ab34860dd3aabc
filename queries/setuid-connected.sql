-- title: Programs with borrowed rights that talk to another host
-- description: >
--   A process runs with the rights of another user than the one who started it (set-user-ID), and
--   has a connection that leaves the host. What comes in over it is handled with these rights.
-- tags: [process, network, privileges]
-- severity: high
-- kind: audit
-- keys: [path, user, dst, dport]
-- false positives:
--   - Programs whose purpose that is, such as mount.nfs and old remote shells.
-- references:
--   - https://attack.mitre.org/techniques/T1548/001/
select pid, name, coalesce(username(uid), uid) as user, coalesce(username(euid), euid) as rights_of,
       path, protocol, src, sport, dst, dport
from sockets join fds using (inode) join processes using (pid)
where family in ('inet', 'inet6') and dst is not null
  and uid <> 0 and (euid <> uid or suid <> uid)
  and not inet_in(dst, '127.0.0.0/8') and dst <> '::1'
group by pid, inode
