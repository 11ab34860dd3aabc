-- title: Sockets that no process has
-- description: >
--   The socket exists, but none of the processes has a descriptor of it: it is the kernel's own
--   (NFS, WireGuard), on its way from one process to another, or its process is hidden. As long as
--   some processes cannot be read it may be one of theirs; unreadable says how many these are.
-- tags: [network, rootkit, incident]
-- severity: high
-- kind: audit
-- keys: [protocol, sport, user]
-- false positives:
--   - Services of the kernel, such as nfsd, ksmbd, rpc.statd's and WireGuard.
--   - A socket whose process appeared between the reading of sockets and that of descriptors.
-- references:
--   - https://attack.mitre.org/techniques/T1014/
select protocol, state, src, sport, dst, dport, coalesce(username(socket_uid), socket_uid) as user,
       inode, netns, (select count(distinct pid) from fds where target is null) as unreadable
from sockets
where family in ('inet', 'inet6', 'packet') and inode is not null
  and inode not in (select inode from fds where inode is not null)
