-- title: Programs started with LD_PRELOAD or LD_AUDIT
-- description: >
--   The dynamic linker loads what these variables name before all else, and it can replace any
--   function: a way of rootkits to hide files, processes and connections from programs.
--   The variables are those with which the program was started.
-- tags: [process, rootkit, incident]
-- severity: high
-- kind: audit
-- keys: [user, path, variable, value]
-- false positives:
--   - Other allocators (jemalloc, tcmalloc), fakeroot, sandboxes, profilers, screen recorders.
-- references:
--   - https://attack.mitre.org/techniques/T1574/006/
--   - https://man7.org/linux/man-pages/man8/ld.so.8.html
select pid, name, coalesce(username(euid), euid) as user, path, key as variable, value
from process_envs join processes using (pid)
where key in ('LD_PRELOAD', 'LD_AUDIT') and value <> ''
