-- title: Programs that the kernel tells of events
-- description: >
--   Who has joined groups of netlink, by which the kernel tells of interfaces, routes, devices
--   (kobject_uevent), connections, audit records or new processes (connector).
-- tags: [network, kernel, inventory]
select pid, name, coalesce(username(euid), euid) as user, path, protocol, netlink_groups
from sockets join fds using (inode) join processes using (pid)
where family = 'netlink' and netlink_groups is not null
group by pid, inode
order by protocol, pid
