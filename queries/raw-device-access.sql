-- title: Processes that read or write a device past its file system
-- description: >
--   A disk that is open for writing can be changed without any file system knowing; /dev/mem,
--   /dev/kmem and /dev/port are the memory and ports of the machine itself.
-- tags: [files, rootkit, incident]
-- severity: high
-- kind: audit
-- keys: [user, path, target]
-- false positives:
--   - Virtual machines and databases on raw devices, mkfs, fsck, partitioning and loop mounts.
-- references:
--   - https://attack.mitre.org/techniques/T1006/
select pid, name, coalesce(username(euid), euid) as user, path, fd, target, rdev, mode
from fds join processes using (pid)
where type in ('blk', 'chr')
  and (type = 'blk' and mode in ('w', 'rw') or rdev in ('1:1', '1:2', '1:4') and type = 'chr')
