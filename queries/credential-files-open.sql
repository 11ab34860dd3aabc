-- title: Files with passwords and keys that are open
-- description: >
--   Passwords of the host, private keys and the credentials of clouds are read in a moment. Who has
--   one open for longer, or was given it by a descriptor, deserves a look.
-- tags: [files, credentials, incident]
-- severity: high
-- kind: audit
-- keys: [user, path, target]
-- false positives:
--   - Programs that are just changing a password, agents that hold their key file open.
-- references:
--   - https://attack.mitre.org/techniques/T1552/
select pid, name, coalesce(username(euid), euid) as user, path, fd, mode, target
from fds join processes using (pid)
where type = 'file'
  and target regexp '^/etc/(shadow|gshadow)-?$|^/etc/ssh/ssh_host_[a-z0-9]+_key$|/\.ssh/id_[a-z0-9_]+$|/\.aws/credentials$|/\.kube/config$|/\.docker/config\.json$|/\.(netrc|pgpass|git-credentials)$|\.kdbx$'
