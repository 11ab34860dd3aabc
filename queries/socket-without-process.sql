-- title: Sockets that no process has
-- description: >
--   The socket exists, but none of the processes has a descriptor of it: it is on its way from one
--   process to another (in_flight), the kernel's own, or its process is hidden. As long as some
--   process cannot be read it may be that one's, and the audit is incomplete.
-- tags: [network, rootkit, incident]
-- severity: medium
-- kind: audit
-- keys: [protocol, sport, user]
-- false positives:
--   - Services of the kernel, such as nfsd, ksmbd and WireGuard.
--   - A socket that was closed while its process was looked for.
-- references:
--   - https://attack.mitre.org/techniques/T1014/
select protocol, state, src, sport, dst, dport, coalesce(username(socket_uid), socket_uid) as user,
       inode, netns, owner_state
from sockets
where family in ('inet', 'inet6', 'packet') and inode is not null
  and owner_state in ('in_flight', 'kernel')
