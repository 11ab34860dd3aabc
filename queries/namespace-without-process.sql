-- title: Namespaces that only a descriptor or a mount keeps
-- description: >
--   No process lives in them, so that lists of processes do not lead there. Container engines and
--   ip-netns(8) keep namespaces this way, and so can somebody who hides sockets or mounts.
-- tags: [namespace, container, incident]
-- severity: info
-- kind: audit
-- keys: [ns_type, mount_point]
-- false positives:
--   - Named network namespaces, and those of paused containers and snap packages.
-- references:
--   - https://man7.org/linux/man-pages/man7/namespaces.7.html
select ns_type, ns_inode, descriptor_count, mount_point, group_concat(distinct pid) as holders
from (select ns_type, ns_inode, descriptor_count, namespaces.mount_point, fds.pid
      from namespaces left join fds using (ns_type, ns_inode)
      where namespaces.process_count = 0
      order by fds.pid)
group by ns_type, ns_inode
