-- title: Programs that run from memory
-- description: >
--   The executable is a memfd: a file that only ever was in memory. What is executed this way
--   leaves no file behind; it can be saved from /proc/PID/exe as long as it runs.
-- tags: [process, malware, incident]
-- severity: critical
-- kind: audit
-- keys: [user, path]
-- false positives:
--   - runc and crun start containers from a sealed copy of themselves, for a moment.
-- references:
--   - https://attack.mitre.org/techniques/T1620/
select pid, name, coalesce(username(euid), euid) as user, path, cmdline,
       datetime(start_time, 'unixepoch') as started, parent
from processes
where path like '/memfd:%'
