-- title: Programs that execute code of a file in memory
-- description: >
--   A memfd is mapped as code: a library that was loaded without ever being a file. The program
--   itself is the matter of memfd-executable.
-- tags: [process, malware, incident]
-- severity: medium
-- kind: audit
-- keys: [path, library]
-- false positives:
--   - Compilers at run time that map their code twice (LuaJIT, .NET, Java, libffi).
-- references:
--   - https://attack.mitre.org/techniques/T1620/
select pid, name, coalesce(username(euid), euid) as user, path, target as library,
       count(*) as mappings, sum(mapped_size) as mapped_size
from process_maps join processes using (pid)
where permissions like '__x%' and target like '/memfd:%' and coalesce(path, '') not like '/memfd:%'
group by pid, target
