-- title: Shells that take their commands from the network
-- description: >
--   The standard input of a shell or interpreter is a connection, and so is its output: whoever is
--   at the other end types commands here. relayed-shell finds those with a program in between.
-- tags: [network, process, malware, incident]
-- severity: critical
-- kind: audit
-- keys: [user, path, dst, dport]
-- false positives:
--   - Services of inetd or of systemd sockets with Accept=yes that are scripts.
-- references:
--   - https://attack.mitre.org/techniques/T1059/004/
select pid, name, coalesce(username(euid), euid) as user, path, cmdline,
       datetime(start_time, 'unixepoch') as started, protocol, src, sport, dst, dport
from fds as input join sockets using (inode) join processes using (pid)
where input.fd = 0 and family in ('inet', 'inet6') and dst is not null
  and (path regexp '/((a|ba|c|da|fi|k|mk|po|pw|tc|xon|y|z)?sh[0-9.]*|(python|perl|ruby|php|lua|node|tclsh|expect)[0-9.]*|[gm]?awk|socat)$'
       or path like '%/busybox' and name in ('sh', 'ash', 'hush', 'awk'))
  and exists (
      select 1 from fds as output
      where output.pid = input.pid and output.inode = input.inode and output.fd in (1, 2)
  )
