-- title: Listeners whose queue is full
-- description: >
--   More connections wait for accept(2) than the program said it would let wait: new clients are
--   turned away or left without an answer. The program is too slow, hangs, or asked for too small
--   a queue in listen(2).
-- tags: [network, listening, troubleshooting]
-- severity: high
-- kind: audit
-- keys: [protocol, src, sport]
-- false positives:
--   - A burst of clients that is gone a second later.
-- references:
--   - https://man7.org/linux/man-pages/man2/listen.2.html
select coalesce(protocol, family) as protocol, src, sport, accept_queue, backlog,
       pid, listening.name, coalesce(username(euid), euid) as user, path
from listening left join processes using (pid)
where accept_queue > backlog
group by inode, pid
