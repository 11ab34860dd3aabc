-- title: Shells that keep no history
-- description: >
--   The variables with which a program was started tell its shell to remember no commands. Those
--   who do that by hand mostly want to leave no trace.
-- tags: [process, incident]
-- severity: medium
-- kind: audit
-- keys: [user, path, variable]
-- false positives:
--   - Sessions of automation that set this on purpose.
-- references:
--   - https://attack.mitre.org/techniques/T1562/003/
select pid, name, coalesce(username(euid), euid) as user, path, key as variable, value, tty
from process_envs join processes using (pid)
where key = 'HISTFILE' and value in ('', '/dev/null')
   or key in ('HISTSIZE', 'HISTFILESIZE') and value = '0'
