-- title: Unix sockets that have a name but no file
-- description: >
--   An abstract socket has no permissions: every process of the network namespace may connect,
--   whatever its user, and containers that share the host's network may as well.
-- tags: [ipc, exposure, inventory]
select src as socket, socktype, state, pid, name, coalesce(username(euid), euid) as user, path,
       sockets.netns
from sockets join fds using (inode) join processes using (pid)
where family = 'unix' and path_kind = 'abstract' and state in ('LISTEN', 'UNCONN')
group by inode, pid
order by socket, pid
