-- title: Listeners that came into another program's hands
-- description: >
--   Different programs have the same listening socket: it was not closed on execve(2), so a service
--   that is restarted finds its port taken by whatever it once started, and clients wait there for
--   nobody.
-- tags: [network, listening, leak, troubleshooting]
-- severity: medium
-- kind: audit
-- keys: [protocol, sport, programs]
-- params:
--   activating_programs:
--     type: table
--     columns: [path]
--     description: Programs that listen for others and keep the listener.
--     default: [[/usr/lib/systemd/systemd], [/lib/systemd/systemd]]
-- false positives:
--   - Services that hand their listener to workers of another program on purpose.
--   - Socket activation by something else than systemd, which is left out.
-- references:
--   - https://man7.org/linux/man-pages/man2/fcntl.2.html
select protocol, src, sport, count(distinct pid) as processes,
       group_concat(distinct path) as programs, group_concat(distinct pid) as pids
from (
    select protocol, src, sport, inode, pid, path
    from sockets join fds using (inode) join processes using (pid)
    where state = 'LISTEN' and family in ('inet', 'inet6') and pid <> 1
      and coalesce(path, '') not in (select path from activating_programs)
    order by inode, pid
)
group by inode
having count(distinct path) > 1
