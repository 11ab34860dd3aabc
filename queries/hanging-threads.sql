-- title: Threads that wait and cannot be interrupted
-- description: >
--   They are inside the kernel until a device or a server answers: state D, which no signal ends and
--   which counts towards the load. When the same ones are here again a minute later, what they wait
--   for hangs; waits_in is the function of the kernel where they are.
-- tags: [process, storage, troubleshooting]
-- severity: low
-- kind: audit
-- keys: [path, thread, waits_in]
-- false positives:
--   - Threads that have just read from or written to a disk.
--   - Parents in vfork(2), until the child executes its program.
-- references:
--   - https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
select threads.pid, tid, thread_name as thread,
       coalesce(username(processes.euid), processes.euid) as user, path,
       threads.wchan as waits_in
from threads join processes on processes.pid = threads.pid
where threads.status = 'D' and kernel_thread = 0
order by threads.pid, tid
