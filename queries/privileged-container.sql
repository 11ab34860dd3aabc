-- title: Containers from which one gets at the host
-- description: >
--   Their processes have, in the host's user namespace, capabilities with which one leaves a container,
--   or see the processes of the host: whoever takes the program over has the host. host_namespaces
--   are those of the host that they are in; the namespaces of reference are those of the first process
--   that can be read.
-- tags: [container, privileges, hardening]
-- severity: medium
-- kind: audit
-- keys: [path, capabilities, host_namespaces]
-- false positives:
--   - Agents of a cluster for networks, storage and monitoring; Docker in Docker.
-- references:
--   - https://attack.mitre.org/techniques/T1611/
with host as materialized (
    select ns_user, ns_pid, ns_net, ns_ipc from processes
    where ns_user is not null order by pid limit 1
),
contained as (
    select container_runtime, container_id, pid, name, euid, path,
           capabilities(cap_effective) || ',' as all_of_them,
           trim(iif(p.ns_pid = host.ns_pid, 'pid ', '') || iif(p.ns_net = host.ns_net, 'net ', '')
                || iif(p.ns_ipc = host.ns_ipc, 'ipc', '')) as host_namespaces
    from processes as p, host
    where container_id is not null and p.ns_user = host.ns_user
),
able as (
    select *, trim(
        iif(all_of_them like '%cap_sys_admin,%', 'sys_admin ', '')
        || iif(all_of_them like '%cap_sys_module,%', 'sys_module ', '')
        || iif(all_of_them like '%cap_sys_ptrace,%', 'sys_ptrace ', '')
        || iif(all_of_them like '%cap_sys_rawio,%', 'sys_rawio ', '')
        || iif(all_of_them like '%cap_dac_read_search,%', 'dac_read_search ', '')
        || iif(all_of_them like '%cap_bpf,%', 'bpf', '')) as capabilities
    from contained
)
select container_runtime, container_id, min(pid) as pid, name,
       coalesce(username(euid), euid) as user, path, capabilities, host_namespaces
from able
where capabilities <> '' or host_namespaces like '%pid%'
group by container_id, capabilities, host_namespaces
order by container_id, pid
