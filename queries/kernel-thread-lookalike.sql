-- title: Programs that look like threads of the kernel
-- description: >
--   In lists of processes, threads of the kernel stand in brackets or have well-known names. A
--   program that is called so does not want to be noticed.
-- tags: [process, malware, incident]
-- severity: critical
-- kind: audit
-- keys: [user, path, name]
-- false positives:
--   - Programs that put their state in brackets as their whole title.
-- references:
--   - https://attack.mitre.org/techniques/T1036/
select pid, name, coalesce(username(euid), euid) as user, path, cmdline,
       datetime(start_time, 'unixepoch') as started
from processes
where kernel_thread = 0
  and (cmdline like '[%]' and coalesce(path, '') not like '%/['
       or name regexp '^(kthreadd$|kworker/|ksoftirqd/|migration/|cpuhp/|idle_inject/|irq/[0-9]|rcu_|kswapd[0-9]|kcompactd[0-9]|khugepaged$|kdevtmpfs$|kauditd$|oom_reaper$|jbd2/|scsi_eh_)')
