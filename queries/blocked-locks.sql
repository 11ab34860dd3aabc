-- title: Who waits for whose lock on a file
-- description: >
--   Each process that waits for a file lock, and the one that has it. When two wait for each other,
--   nothing will ever move.
-- tags: [files, troubleshooting]
select waits.pid, p.name, has.target, waits.lock_class, waits.lock_access,
       waits.range_start, waits.range_end,
       b.pid as blocker_pid, b.name as blocker_name, b.cmdline as blocker_cmdline
from file_locks as waits join processes as p on p.pid = waits.pid
    left join file_locks as has on has.lock_id = waits.lock_id and has.waiting = 0
    left join processes as b on b.pid = waits.blocker_pid
where waits.waiting = 1
order by waits.lock_id, waits.pid
