-- title: Programs whose working directory has been deleted
-- description: >
--   Intruders unpack their tools in a directory, start them and remove it. Services whose
--   directory is gone fail as soon as they need it.
-- tags: [process, incident]
-- severity: medium
-- kind: audit
-- keys: [user, path, directory]
-- false positives:
--   - Shells that stay in the directory of a build or test that was cleaned up.
select pid, name, coalesce(username(euid), euid) as user, path, cmdline, target as directory
from process_files join processes using (pid)
where role = 'cwd' and deleted = 1
