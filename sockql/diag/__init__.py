"""netlink and the messages of sock_diag, decoded with struct: bytes in, records out."""
