-- title: Libraries that the dynamic linker loads into every program
-- description: >
--   /etc/ld.so.preload names libraries that are loaded into each program that starts, before its own:
--   the way in which rootkits of user space hide files, processes and connections. Hardly any host has
--   the file. The one of the file system that sockql sees is looked at; what it hides may be hidden
--   from sockql as well.
-- tags: [files, rootkit, incident]
-- severity: high
-- kind: audit
-- keys: [path]
-- false positives:
--   - Security agents, other allocators and ARM boards (libarmmem) that are installed this way.
-- references:
--   - https://attack.mitre.org/techniques/T1574/006/
--   - https://man7.org/linux/man-pages/man8/ld.so.8.html
select path, size, mode, coalesce(username(uid), uid) as owner, datetime(mtime, 'unixepoch') as changed
from file
where path = '/etc/ld.so.preload' and size > 0
