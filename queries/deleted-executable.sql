-- title: Running programs whose file has been deleted
-- description: >
--   The file that a process executes is gone and nothing took its place. Malware deletes itself to
--   leave nothing to examine; the program can be saved from /proc/PID/exe as long as it runs.
-- tags: [process, malware, incident]
-- severity: high
-- kind: audit
-- keys: [user, path]
-- false positives:
--   - A package was removed, or upgraded to another path, while its service kept running.
--   - A build directory or container layer was cleaned up under a running program.
-- references:
--   - https://attack.mitre.org/techniques/T1070/004/
select pid, name, coalesce(username(euid), euid) as user, path, cmdline,
       datetime(start_time, 'unixepoch') as started
from processes
where exe_deleted = 1 and on_disk = 0 and path not like '/memfd:%'
