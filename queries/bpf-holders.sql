-- title: Processes that hold BPF programs
-- description: >
--   Programs in the kernel that see every system call or packet, and the maps that they fill, as
--   far as a process keeps them by a descriptor. Rootkits work this way, as monitoring does. Programs
--   that are meant to are left out.
-- tags: [kernel, rootkit, incident]
-- severity: low
-- kind: audit
-- keys: [user, path, type]
-- params:
--   bpf_programs:
--     type: table
--     columns: [path]
--     description: Programs that may hold them.
--     default: [[/usr/lib/systemd/systemd], [/lib/systemd/systemd]]
-- false positives:
--   - Container networks (Cilium); tracing and security agents.
-- references:
--   - https://attack.mitre.org/techniques/T1014/
--   - https://man7.org/linux/man-pages/man2/bpf.2.html
select pid, name, coalesce(username(euid), euid) as user, path, type, count(*) as descriptors
from fds join processes using (pid)
where type in ('bpf-prog', 'bpf-map', 'bpf-link', 'bpf_link', 'bpf-token', 'bpf_iter')
  and coalesce(path, '') not in (select path from bpf_programs)
group by pid, type
order by pid, type
