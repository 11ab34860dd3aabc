-- title: Processes that have the memory of others open
-- description: >
--   By /proc/PID/mem one reads and writes the memory of another process: to collect passwords, or
--   to put code into it.
-- tags: [process, incident]
-- severity: high
-- kind: audit
-- keys: [path, victim_path]
-- false positives:
--   - Debuggers, crash reporters and checkpointing at work.
-- references:
--   - https://attack.mitre.org/techniques/T1003/007/
select f.pid, p.name, coalesce(username(p.euid), p.euid) as user, p.path, fd, f.mode,
       v.pid as victim_pid, v.name as victim_name, v.path as victim_path
from fds as f join processes as p on p.pid = f.pid
    join processes as v on v.pid = cast(substr(f.target, 7) as integer)
where f.type = 'file' and f.target like '/proc/%/mem' and v.pid <> f.pid
