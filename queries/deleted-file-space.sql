-- title: Space that deleted files still take
-- description: >
--   The files have no name any more, so that du(1) does not find them, but processes hold them and
--   their space is not free before the last of these closes them or ends.
-- tags: [files, storage, leak, troubleshooting]
-- severity: low
-- kind: audit
-- keys: [target]
-- params:
--   bytes: {type: integer, default: 104857600, description: Space of one file from which on to tell.}
-- false positives:
--   - Temporary files of databases and builds that are deleted as soon as they are opened.
select max(allocated) as allocated, max(size) as size, target, dev, file_inode,
       group_concat(distinct name) as names, group_concat(distinct pid) as pids
from (select * from deleted_files order by pid) join processes using (pid)
where type in ('file', 'memfd')
group by dev, file_inode
having max(allocated) >= :bytes
order by allocated desc
