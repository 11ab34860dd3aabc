-- title: Services whose protocol is not encrypted
-- description: >
--   Whoever is between the two ends reads what goes over these protocols, passwords included.
-- tags: [network, listening, exposure, hardening]
-- severity: medium
-- kind: audit
-- keys: [protocol, sport, path]
-- false positives:
--   - The service demands STARTTLS, or only listens inside a tunnel.
-- references:
--   - https://attack.mitre.org/techniques/T1040/
with services (port, transport, what) as (
    values (21, 'tcp', 'FTP'), (23, 'tcp', 'Telnet'), (69, 'udp', 'TFTP'), (79, 'tcp', 'finger'),
           (110, 'tcp', 'POP3'), (143, 'tcp', 'IMAP'), (161, 'udp', 'SNMP'), (389, 'tcp', 'LDAP'),
           (512, 'tcp', 'rexec'), (513, 'tcp', 'rlogin'), (514, 'tcp', 'rsh'), (514, 'udp', 'syslog')
)
select what, protocol, src, sport, pid, listening.name, coalesce(username(euid), euid) as user, path,
       container_id
from services join listening on sport = port and protocol = transport
    left join processes using (pid)
where family in ('inet', 'inet6') and not inet_in(src, '127.0.0.0/8') and src <> '::1'
group by inode, pid
