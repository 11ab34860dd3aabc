"""Network namespaces, and what rtnetlink and /proc/net tell of each."""
