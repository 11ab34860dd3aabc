-- title: Processes that are traced
-- description: >
--   Whoever traces a process by ptrace(2) reads and writes its memory: debuggers do, and those who
--   inject code or collect passwords.
-- tags: [process, incident]
-- severity: medium
-- kind: audit
-- keys: [path, tracer_path]
-- false positives:
--   - strace, gdb, crash reporters and some sandboxes at work.
-- references:
--   - https://attack.mitre.org/techniques/T1055/008/
select p.pid, p.name, coalesce(username(p.euid), p.euid) as user, p.path,
       p.tracer_pid, t.name as tracer_name, t.path as tracer_path,
       coalesce(username(t.euid), t.euid) as tracer_user
from processes as p left join processes as t on t.pid = p.tracer_pid
where p.tracer_pid is not null
