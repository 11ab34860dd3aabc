-- title: Connections by process
-- description: How many connections each process has, in which states, and with how many hosts.
-- tags: [network, inventory]
select pid, name, coalesce(username(euid), euid) as user, path, count(*) as connections,
       sum(state = 'ESTABLISHED') as established, sum(state = 'CLOSE_WAIT') as close_wait,
       sum(state = 'SYN_SENT') as syn_sent, count(distinct dst) as hosts
from (select distinct inode, pid, state, dst
      from sockets join fds using (inode)
      where family in ('inet', 'inet6') and dst is not null)
    join processes using (pid)
group by pid
order by connections desc, pid
