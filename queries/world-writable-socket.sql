-- title: Unix sockets that everyone may connect to
-- description: >
--   The permissions of the socket's file let every user write to it, which is what connect(2) asks
--   for: each of them can talk to the program behind it, unless a directory above keeps them away
--   or the program asks who they are. Only files that can be reached from here are looked at, and
--   services that are meant for everyone are left out.
-- tags: [ipc, exposure, hardening]
-- severity: low
-- kind: audit
-- keys: [socket, path]
-- params:
--   public_sockets:
--     type: table
--     columns: [pattern]
--     description: Sockets that are meant for everyone, as patterns of GLOB.
--     default:
--       - ["/run/systemd/*"]
--       - ["/run/dbus/system_bus_socket"]
--       - ["/run/user/*"]
--       - ["/tmp/.X11-unix/*"]
--       - ["/tmp/.ICE-unix/*"]
--       - ["/run/avahi-daemon/socket"]
--       - ["/run/cups/cups.sock"]
--       - ["/run/nscd/socket"]
--       - ["/run/pcscd/pcscd.comm"]
--       - ["/run/rpcbind.sock"]
--       - ["/run/snapd*.socket"]
--       - ["/run/uuidd/request"]
--       - ["/run/.heim_org.h5l.kcm-socket"]
--       - ["/var/lib/sss/pipes/*"]
-- false positives:
--   - Services that are meant for everyone and check who asks, such as databases.
-- references:
--   - https://man7.org/linux/man-pages/man7/unix.7.html
select src as socket, socktype, state, file.mode as file_mode, coalesce(username(file.uid), file.uid) as owner,
       processes.pid, name, coalesce(username(euid), euid) as user, processes.path
from sockets join file on file.path = src and file.inode = vfs_inode
    join fds using (inode) join processes using (pid)
where sockets.family = 'unix' and path_kind = 'path' and src like '/%'
  and state in ('LISTEN', 'UNCONN')
  and file.type = 'socket' and substr(file.mode, -1) in ('2', '3', '6', '7')
  and not exists (select 1 from public_sockets where replace(src, '/var/run/', '/run/') glob pattern)
group by sockets.inode, processes.pid
