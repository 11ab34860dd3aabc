-- title: Passwords and keys in the environment
-- description: >
--   Variables whose name says that they are secret. The environment goes to every child, into crash
--   reports and logs; files with narrow permissions, or systemd credentials, do not. The values are
--   not shown.
-- tags: [process, credentials, hardening]
-- severity: low
-- kind: audit
-- keys: [user, path, variable]
-- false positives:
--   - Names that only look like it, and values that are paths to a secret.
-- references:
--   - https://attack.mitre.org/techniques/T1552/007/
select pid, name, coalesce(username(euid), euid) as user, path, key as variable,
       length(value) as characters
from process_envs join processes using (pid)
where key regexp '(?i)(^|_)(password|passwd|passphrase|secret|(api|access|secret|private)_?key|(auth|access|api|bearer|refresh|session)_?token)(_|$)'
  and value <> '' and value not like '/%'
