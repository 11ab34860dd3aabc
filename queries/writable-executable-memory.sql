-- title: Programs with memory that is both writable and executable
-- description: >
--   Code can be written there and run at once, which is what injected code needs.
-- tags: [process, hardening]
-- severity: low
-- kind: audit
-- keys: [user, path]
-- false positives:
--   - Compilers at run time of languages and browsers, older versions above all.
-- references:
--   - https://attack.mitre.org/techniques/T1055/
select pid, name, coalesce(username(euid), euid) as user, path,
       count(*) as mappings, sum(mapped_size) as mapped_size
from process_maps join processes using (pid)
where permissions like '_wx%'
group by pid
