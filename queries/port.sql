-- title: Who has a port
-- description: >
--   Everything at one port of this host, listeners and connections alike, with the process that has
--   it. Answers "address already in use".
-- tags: [network, listening, troubleshooting]
-- params:
--   port: {type: integer, default: 22, description: Port to look for.}
select protocol, state, src, sport, dst, dport, pid, name,
       coalesce(username(euid), euid) as user, path, netns
from sockets left join fds using (inode) left join processes using (pid)
where sport = :port
group by cookie, pid
order by state <> 'LISTEN', protocol, src, dst, dport, pid
