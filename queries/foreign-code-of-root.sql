-- title: Programs of root whose code others can change
-- description: >
--   The executable or a library of a process with the rights of root belongs to another user, or
--   its permissions let others write to it: who does becomes root with the next start.
-- tags: [process, privileges, hardening]
-- severity: high
-- kind: audit
-- keys: [target, owner, file_mode]
-- false positives:
--   - Programs that root starts from a user's directory, as administrators do with their own.
--   - Files of containers and user namespaces, whose users have other numbers here.
-- references:
--   - https://attack.mitre.org/techniques/T1574/010/
select pid, name, path, f.target, coalesce(username(f.file_uid), f.file_uid) as owner, f.file_gid,
       f.file_mode
from process_files as f join processes using (pid)
where euid = 0 and f.role = 'mem' and f.type = 'file'
  and (f.file_uid <> 0 or substr(f.file_mode, -1) in ('2', '3', '6', '7')
       or f.file_gid <> 0 and substr(f.file_mode, -2, 1) in ('2', '3', '6', '7'))
  and exists (
      select 1 from process_maps as m
      where m.pid = f.pid and m.file_inode = f.file_inode and m.dev = f.dev
        and m.permissions like '__x%'
  )
