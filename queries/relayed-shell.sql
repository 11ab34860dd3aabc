-- title: Shells that get their commands from a program with a connection
-- description: >
--   The standard input of a shell comes by a pipe, a pair of sockets or a terminal from a program
--   that has made a connection to somewhere: a reverse shell that goes through netcat, or one that
--   was given a terminal. Connections that others made to a port of this host do not count, so that
--   sshd does not.
-- tags: [network, process, malware, incident]
-- severity: high
-- kind: audit
-- keys: [user, cmdline, relay_path, dst, dport]
-- false positives:
--   - Agents of builds, deployment and monitoring, editors and terminals that are connected.
-- references:
--   - https://attack.mitre.org/techniques/T1059/004/
with outgoing as materialized (
    select pid, protocol, dst, dport
    from sockets as own join fds using (inode)
    where own.family in ('inet', 'inet6') and own.dst is not null
      and own.state in ('ESTABLISHED', 'CLOSE_WAIT', 'SYN_SENT')
      and not exists (
          select 1 from sockets as listener
          where listener.state = 'LISTEN' and listener.sport = own.sport
            and listener.protocol = own.protocol and listener.netns is own.netns
      )
)
select sh.pid, sh.name, coalesce(username(sh.euid), sh.euid) as user, sh.path, sh.cmdline,
       datetime(sh.start_time, 'unixepoch') as started, kind,
       relay.pid as relay_pid, relay.path as relay_path, protocol, dst, dport
from processes as sh join endpoints on endpoints.pid = sh.pid
    join outgoing on outgoing.pid = endpoints.peer_pid
    join processes as relay on relay.pid = endpoints.peer_pid
where (sh.path regexp '/(a|ba|c|da|fi|k|mk|po|pw|tc|xon|y|z)?sh[0-9.]*$'
       or sh.path like '%/busybox' and sh.name in ('sh', 'ash', 'hush'))
  and endpoints.fd = 0 and endpoints.kind in ('pipe', 'fifo', 'unix', 'pty')
  and endpoints.peer_pid <> endpoints.pid
group by sh.pid, relay.pid, protocol, dst, dport
