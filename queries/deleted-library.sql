-- title: Programs that execute code of deleted files
-- description: >
--   A library is mapped whose file is gone. After an upgrade this means that the old code still
--   runs and the program should be restarted; without one, that somebody loaded a library and
--   removed it.
-- tags: [process, upgrade, malware]
-- severity: medium
-- kind: audit
-- keys: [path, library]
-- false positives:
--   - Libraries that were upgraded, which is worth a restart nevertheless.
select pid, name, coalesce(username(euid), euid) as user, path, f.target as library
from process_files as f join processes using (pid)
where f.role = 'mem' and f.deleted = 1
  and f.target not like '/memfd:%' and f.target is not path || ' (deleted)'
  and exists (
      select 1 from process_maps as m
      where m.pid = f.pid and m.file_inode = f.file_inode and m.dev = f.dev
        and m.permissions like '__x%'
  )
