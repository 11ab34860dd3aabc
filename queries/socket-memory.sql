-- title: Memory of sockets, by process
-- description: >
--   How much memory the kernel uses for the sockets of each process: packets that wait to be read,
--   what was sent and not acknowledged, and what is set aside. A socket that several share counts
--   for each of them.
-- tags: [network, memory, performance]
-- params:
--   limit: {type: integer, default: 20, description: How many processes to show.}
select pid, name, coalesce(username(euid), euid) as user, path, count(*) as sockets,
       sum(rmem_alloc) as receiving, sum(sending) as sending, sum(fwd_alloc) as set_aside,
       sum(rmem_alloc) + sum(sending) + sum(fwd_alloc) as memory
from (select distinct inode, pid, coalesce(rmem_alloc, 0) as rmem_alloc,
             coalesce(fwd_alloc, 0) as fwd_alloc,
             max(coalesce(wmem_alloc, 0), coalesce(wmem_queued, 0)) as sending
      from sockets join fds using (inode))
    join processes using (pid)
group by pid
order by memory desc, pid
limit :limit
