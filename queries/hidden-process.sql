-- title: Processes that are there, but not in the list
-- description: >
--   Rootkits take processes out of the listing of /proc, yet the kernel still knows them by number.
--   Tries the numbers below the highest that is listed, and those that others name as their parent,
--   tracer, group or session; a process that started after the listing does not count.
-- tags: [process, rootkit, incident]
-- severity: critical
-- kind: audit
-- keys: [name]
-- live: true
-- timeout: 60
-- params:
--   numbers:
--     type: integer
--     default: 100000
--     description: How many numbers to try, from the highest down, each in about 5 microseconds.
-- false positives:
--   - None are known; processes that hidepid keeps from this user cannot be read by number either.
-- references:
--   - https://attack.mitre.org/techniques/T1014/
with recursive
listed as materialized (
    select pid, parent, tracer_pid, pgroup, session, start_ticks from processes
),
tried(pid, least) as (
    select max(pid), max(1, max(pid) - :numbers + 1) from listed
    union all
    select pid - 1, least from tried where pid > least
),
candidates as materialized (
    select pid from tried
    union select parent from listed
    union select tracer_pid from listed
    union select pgroup from listed
    union select session from listed
    except select pid from listed
)
select pid, name, coalesce(username(euid), euid) as user,
       datetime(start_time, 'unixepoch') as started
from processes
-- 0 is no process; a list that is never empty has its numbers tried all at once.
where probed_pid in (select pid from candidates union all select 0)
  and start_ticks < (select max(start_ticks) from listed)
