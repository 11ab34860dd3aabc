-- title: Descriptors by process
-- description: >
--   How many descriptors each process has, of which kinds, and how many it may have. What counts as
--   other are the kernel's anonymous inodes; special-descriptors tells more of those.
-- tags: [files, inventory]
select pid, name, coalesce(username(euid), euid) as user, path, count(*) as descriptors,
       sum(type = 'socket') as sockets, sum(type in ('pipe', 'fifo')) as pipes,
       sum(type in ('file', 'dir')) as files, sum(type in ('chr', 'blk')) as devices,
       sum(type not in ('socket', 'pipe', 'fifo', 'file', 'dir', 'chr', 'blk')) as other,
       limit_nofile
from fds join processes using (pid)
group by pid
order by descriptors desc, pid
