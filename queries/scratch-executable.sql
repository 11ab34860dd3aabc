-- title: Programs that run from a directory for temporary files
-- description: >
--   Everyone may write in these directories, so what an intruder fetches is often put and started
--   there.
-- tags: [process, malware, incident]
-- severity: high
-- kind: audit
-- keys: [user, path]
-- false positives:
--   - Builds and tests, installers and self-extracting programs.
-- references:
--   - https://attack.mitre.org/techniques/T1059/
select pid, name, coalesce(username(euid), euid) as user, path, cmdline,
       datetime(start_time, 'unixepoch') as started
from processes
where path regexp '^(/var)?/tmp/|^/dev/(shm|mqueue)/|^/run/(shm|lock|user/[0-9]+)/|^/var/(lock|crash)/'
