-- title: Processes that are not in the host's namespaces
-- description: >
--   Each set of namespaces that differs from that of the first process that can be read, with how
--   many processes are in it and which is the first: containers, sandboxes, and what else was set
--   apart.
-- tags: [namespace, container, inventory]
with host as materialized (
    select ns_mnt, ns_net, ns_pid, ns_user, ns_ipc, ns_uts from processes
    where ns_net is not null
    order by pid limit 1
)
select iif(p.ns_mnt = host.ns_mnt, null, p.ns_mnt) as ns_mnt,
       iif(p.ns_net = host.ns_net, null, p.ns_net) as ns_net,
       iif(p.ns_pid = host.ns_pid, null, p.ns_pid) as ns_pid,
       iif(p.ns_user = host.ns_user, null, p.ns_user) as ns_user,
       iif(p.ns_ipc = host.ns_ipc, null, p.ns_ipc) as ns_ipc,
       iif(p.ns_uts = host.ns_uts, null, p.ns_uts) as ns_uts,
       count(*) as processes, min(pid) as pid, name, container_id
from processes as p, host
where (p.ns_mnt, p.ns_net, p.ns_pid, p.ns_user, p.ns_ipc, p.ns_uts)
    <> (host.ns_mnt, host.ns_net, host.ns_pid, host.ns_user, host.ns_ipc, host.ns_uts)
group by p.ns_mnt, p.ns_net, p.ns_pid, p.ns_user, p.ns_ipc, p.ns_uts
order by processes desc, pid
