-- title: Programs that do not collect their children
-- description: >
--   Each zombie keeps its number; a program that makes many of them has a fault and ends with the
--   table of processes full.
-- tags: [process, leak]
-- severity: low
-- kind: audit
-- keys: [path]
-- params:
--   more_than: {type: integer, default: 10, description: Zombies of one parent that are tolerated.}
-- false positives:
--   - Process 1 of a container that is a plain program, to which orphans of others come.
-- references:
--   - https://man7.org/linux/man-pages/man2/wait.2.html
select p.pid, p.name, coalesce(username(p.euid), p.euid) as user, p.path, count(*) as zombies
from processes as z join processes as p on p.pid = z.parent
where z.status = 'Z'
group by p.pid
having count(*) > :more_than
