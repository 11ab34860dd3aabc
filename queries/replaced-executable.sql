-- title: Running programs whose file has been replaced
-- description: >
--   There is another file at the path of the executable than the one that runs: mostly an upgrade
--   after which the service was not restarted, so that what it mended is not in effect yet.
-- tags: [process, upgrade]
-- severity: low
-- kind: audit
-- keys: [user, path]
-- false positives:
--   - Programs that replace themselves and wait for work to end before they start anew.
select pid, name, coalesce(username(euid), euid) as user, path, cmdline,
       datetime(start_time, 'unixepoch') as started, systemd_unit
from processes
where exe_deleted = 1 and on_disk = 1 and path not like '/memfd:%'
