-- title: Processes that are about to run out of descriptors
-- description: >
--   They have most of the descriptors that their limit allows (ulimit -n). At the limit open(2),
--   socket(2) and accept(2) fail, and a server takes no more clients.
-- tags: [files, leak, troubleshooting]
-- severity: high
-- kind: audit
-- keys: [user, path]
-- params:
--   percent: {type: integer, default: 80, description: Share of the limit from which on to tell.}
-- false positives:
--   - Programs that are given few descriptors on purpose.
-- references:
--   - https://man7.org/linux/man-pages/man2/getrlimit.2.html
select pid, name, coalesce(username(euid), euid) as user, path, fd_count, limit_nofile,
       100 * fd_count / limit_nofile as percent
from processes
where limit_nofile > 0 and 100 * fd_count / limit_nofile >= :percent
order by percent desc, pid
