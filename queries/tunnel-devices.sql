-- title: Programs that have a tunnel
-- description: >
--   They read and write the packets of a network interface (tun or tap): a VPN, a virtual machine,
--   or a way out of the network that nobody knows of.
-- tags: [network, tunnel, incident]
-- severity: medium
-- kind: audit
-- keys: [user, path, interface]
-- false positives:
--   - VPNs, virtual machines and rootless containers that are meant to be there.
-- references:
--   - https://attack.mitre.org/techniques/T1572/
select pid, name, coalesce(username(euid), euid) as user, path, fd,
       json_extract(info, '$.iff') as interface
from fds join processes using (pid)
where type = 'chr' and rdev = '10:200'
