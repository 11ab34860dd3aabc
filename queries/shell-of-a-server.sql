-- title: Shells started by a program that listens
-- description: >
--   The parent of a shell has a listening port: somebody may have made a web server, a database or
--   the like run commands. systemd, which listens for its services, is left out.
-- tags: [network, process, incident]
-- severity: high
-- kind: audit
-- keys: [server_path, sport, cmdline]
-- false positives:
--   - Servers that run scripts as a part of their work; editors, notebooks and builds that listen.
--   - sshd, when the user of the shell has ports forwarded to this host (ssh -R).
-- references:
--   - https://attack.mitre.org/techniques/T1505/003/
select sh.pid, sh.name, coalesce(username(sh.euid), sh.euid) as user, sh.cmdline,
       datetime(sh.start_time, 'unixepoch') as started,
       server.pid as server_pid, server.path as server_path, protocol, src, sport
from sockets join fds using (inode) join processes as server using (pid)
    join processes as sh on sh.parent = server.pid
where state = 'LISTEN' and family in ('inet', 'inet6')
  and coalesce(server.path, '') not like '%/systemd'
  and (sh.path regexp '/(a|ba|c|da|fi|k|mk|po|pw|tc|xon|y|z)?sh[0-9.]*$'
       or sh.path like '%/busybox' and sh.name in ('sh', 'ash', 'hush'))
group by sh.pid, sport
