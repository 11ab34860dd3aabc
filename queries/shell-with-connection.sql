-- title: Shells that have a connection
-- description: >
--   A shell has no need of the network. bash opens connections for what is written to /dev/tcp,
--   which is how scripts of intruders talk where no other program is at hand; others were inherited
--   from the program that started the shell.
-- tags: [network, process, malware, incident]
-- severity: high
-- kind: audit
-- keys: [user, path, dst, dport]
-- false positives:
--   - Scripts that test with /dev/tcp whether a port is open.
--   - Servers that leave their connections open in the commands that they start.
-- references:
--   - https://attack.mitre.org/techniques/T1059/004/
select pid, name, coalesce(username(euid), euid) as user, path, cmdline, fd, protocol, state,
       src, sport, dst, dport
from sockets join fds using (inode) join processes using (pid)
where family in ('inet', 'inet6') and dst is not null
  and (path regexp '/(a|ba|c|da|fi|k|mk|po|pw|tc|xon|y|z)?sh[0-9.]*$'
       or path like '%/busybox' and name in ('sh', 'ash', 'hush'))
