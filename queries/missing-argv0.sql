-- title: Programs started without a name
-- description: >
--   By convention the first argument of a program is its name. Exploits and loaders start programs
--   without any argument or with an empty one (CVE-2021-4034 needed that), and some clear it to
--   leave a blank in lists of processes.
-- tags: [process, malware, incident]
-- severity: medium
-- kind: audit
-- keys: [user, path]
-- false positives:
--   - Programs that overwrite their arguments to hide a secret.
-- references:
--   - https://man7.org/linux/man-pages/man2/execve.2.html
select pid, name, coalesce(username(euid), euid) as user, path,
       datetime(start_time, 'unixepoch') as started, parent
from processes
where kernel_thread = 0 and status not in ('Z', 'X')
  and (argv is null or json_extract(argv, '$[0]') = '')
