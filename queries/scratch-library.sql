-- title: Programs that execute code from temporary directories
-- description: >
--   A library below /tmp, /dev/shm or the like is mapped as code. Everyone may write there, so that
--   what gets into a program by LD_PRELOAD, dlopen(3) or ptrace(2) often comes from there. The file of
--   the program itself is the matter of scratch-executable.
-- tags: [process, malware, incident]
-- severity: medium
-- kind: audit
-- keys: [user, path]
-- false positives:
--   - Programs that unpack libraries of their own there (JNA, Netty and others of Java, PyInstaller,
--     AppImage), and builds and tests.
-- references:
--   - https://attack.mitre.org/techniques/T1574/006/
select pid, name, coalesce(username(euid), euid) as user, path,
       count(distinct target) as libraries, min(target) as library
from process_maps join processes using (pid)
where permissions like '__x%'
  and target regexp '^(/var)?/tmp/|^/dev/(shm|mqueue)/|^/run/(shm|lock|user/[0-9]+)/|^/var/(lock|crash)/'
  and target is not path and target is not path || ' (deleted)'
group by pid
