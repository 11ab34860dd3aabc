-- title: Sockets whose program is gone
-- description: >
--   A process whose executable has been deleted, or only ever was in memory, listens or is
--   connected: nobody can start this service again, or know by its file what it was.
-- tags: [network, process, malware, incident]
-- severity: high
-- kind: audit
-- keys: [path, protocol, sport, dst]
-- false positives:
--   - A service whose package was removed and that was not stopped.
-- references:
--   - https://attack.mitre.org/techniques/T1070/004/
select pid, name, coalesce(username(euid), euid) as user, path, protocol, state,
       src, sport, dst, dport
from sockets join fds using (inode) join processes using (pid)
where family in ('inet', 'inet6') and exe_deleted = 1 and on_disk = 0
group by pid, inode
