-- title: Descriptors of the kernel's special facilities
-- description: >
--   Which processes use io_uring, BPF, perf events, userfaultfd, fanotify, KVM and the like: what
--   has no path, is no socket and no pipe, and is not among the everyday ones of event loops.
-- tags: [files, kernel, inventory]
select type, pid, name, coalesce(username(euid), euid) as user, path, count(*) as descriptors
from fds join processes using (pid)
where target like 'anon_inode:%'
  and type not in ('epoll', 'eventfd', 'inotify', 'signalfd', 'timerfd')
group by type, pid
order by type, pid
