-- title: Connections whose peer takes nothing more
-- description: >
--   There is something to send, and the peer has said that its buffer is full: the program there
--   does not read. Whatever waits for it here waits as well.
-- tags: [network, troubleshooting]
-- severity: medium
-- kind: audit
-- keys: [path, dst, dport]
-- false positives:
--   - A peer that reads slowly on purpose, as players and downloads with a limit do.
-- references:
--   - https://www.rfc-editor.org/rfc/rfc9293#section-3.8.6.1
select pid, name, coalesce(username(euid), euid) as user, path, src, sport, dst, dport,
       send_queue, notsent_bytes
from sockets join fds using (inode) join processes using (pid)
where protocol = 'tcp' and state in ('ESTABLISHED', 'CLOSE_WAIT')
  and notsent_bytes > 0 and snd_wnd = 0
group by pid, inode
