-- title: Shells started by a program that listens
-- description: >
--   The parent of a shell has a listening port: somebody may have made a web server, a database or
--   the like run commands. systemd, which listens for its services, and sshd, which does for whom it
--   forwards ports to this host, are left out.
-- tags: [network, process, incident]
-- severity: high
-- kind: audit
-- keys: [server_path, sport, cmdline]
-- params:
--   shell_programs:
--     type: table
--     columns: [path]
--     description: Programs that are there to start shells.
--     default:
--       - [/usr/lib/systemd/systemd]
--       - [/lib/systemd/systemd]
--       - [/usr/sbin/sshd]
--       - [/usr/bin/sshd]
--       - [/usr/lib/openssh/sshd-session]
--       - [/usr/libexec/openssh/sshd-session]
--       - [/usr/lib/ssh/sshd-session]
-- false positives:
--   - Servers that run scripts as a part of their work; editors, notebooks and builds that listen.
-- references:
--   - https://attack.mitre.org/techniques/T1505/003/
select sh.pid, sh.name, coalesce(username(sh.euid), sh.euid) as user, sh.cmdline,
       datetime(sh.start_time, 'unixepoch') as started,
       server.pid as server_pid, server.path as server_path, protocol, src, sport
from sockets join fds using (inode) join processes as server using (pid)
    join processes as sh on sh.parent = server.pid
where state = 'LISTEN' and family in ('inet', 'inet6')
  and coalesce(server.path, '') not in (select path from shell_programs)
  and (sh.path regexp '/(a|ba|c|da|fi|k|mk|po|pw|tc|xon|y|z)?sh[0-9.]*$'
       or sh.path like '%/busybox' and sh.name in ('sh', 'ash', 'hush'))
group by sh.pid, sport
