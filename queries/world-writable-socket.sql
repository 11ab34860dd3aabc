-- title: Unix sockets that everyone may connect to
-- description: >
--   The permissions of the socket's file let every user write to it, which is what connect(2) asks
--   for: each of them can talk to the program behind it, unless a directory above keeps them away
--   or the program asks who they are. Only files that can be reached from here are looked at.
-- tags: [ipc, exposure, hardening]
-- severity: low
-- kind: audit
-- keys: [socket, path]
-- false positives:
--   - Services that are meant for everyone, as D-Bus, the journal, X11 and name services.
-- references:
--   - https://man7.org/linux/man-pages/man7/unix.7.html
select src as socket, socktype, state, file.mode as file_mode, coalesce(username(file.uid), file.uid) as owner,
       processes.pid, name, coalesce(username(euid), euid) as user, processes.path
from sockets join file on file.path = src and file.inode = vfs_inode
    join fds using (inode) join processes using (pid)
where sockets.family = 'unix' and path_kind = 'path' and src like '/%'
  and state in ('LISTEN', 'UNCONN')
  and file.type = 'socket' and substr(file.mode, -1) in ('2', '3', '6', '7')
group by sockets.inode, processes.pid
