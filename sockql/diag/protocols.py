"""Which protocols the kernel has, from /proc/net/protocols.

A request for a handler that the kernel lacks makes it run modprobe each time; one for a protocol
that nobody uses is in vain.

Source: net/core/sock.c (proto_seq_printf()).
"""

from __future__ import annotations

from sockql.sockets.sockstat import read_net

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from sockql.host import Host
    from sockql.request import Request

#: The names that the kernel has for a protocol or family of ``sockets``.
_NAMES: Final = {
    "icmp": ("PING", "PINGv6"),
    "mptcp": ("MPTCP", "MPTCPv6"),
    "sctp": ("SCTP", "SCTPv6"),
    "dccp": ("DCCP", "DCCPv6"),
    "smc": ("SMC", "SMC6"),
    "packet": ("PACKET",),
    "netlink": ("NETLINK",),
    "vsock": ("AF_VSOCK",),
    "xdp": ("XDP",),
    "tipc": ("TIPC",),
}
#: Those whose sockets are all counted: not those of the kernel (netlink), or not at all.
_COUNTED: Final = ("dccp", "icmp", "packet", "sctp", "smc", "xdp")


def parse(text: bytes) -> dict[str, int]:
    """The number of sockets of the network namespace by the kernel's name of the protocol.

    Lines that are not laid out as documented are skipped.
    """
    found: dict[str, int] = {}
    for line in text.split(b"\n")[1:]:
        words = line.split()
        if len(words) > 2 and words[2].isdigit():
            found[words[0].decode("ascii", "replace")] = int(words[2])
    return found


def protocols(request: Request, host: Host) -> dict[str, int] | None:
    """The protocols of the kernel, read once in a statement; None when they cannot be read."""
    memo, key = request.snapshot.memo, ("protocols", host.netns)
    if key not in memo:
        try:
            memo[key] = parse(b"".join(read_net(host, "protocols")))
        except OSError:
            memo[key] = None
    found: dict[str, int] | None = memo[key]
    return found


def has(request: Request, host: Host, name: str) -> bool:
    """Whether the kernel knows the protocol or family ``name``; True when there is no telling."""
    found = protocols(request, host)
    return found is None or any(known in found for known in _NAMES[name])


def in_use(request: Request, host: Host, name: str) -> bool:
    """Whether there may be sockets of the protocol or family ``name``."""
    found = protocols(request, host)
    if found is None:
        return True
    counts = [found[known] for known in _NAMES[name] if known in found]
    if any(counts):
        return True
    if name == "mptcp":
        # In vain the kernel would walk two tables of 64 Ki chains (2 ms).
        return bool(counts) and not _counts_mptcp(request, host)
    return bool(counts) and name not in _COUNTED


def _counts_mptcp(request: Request, host: Host) -> bool:
    """Whether the kernel counts all MPTCP sockets that its sock_diag lists.

    It does from Linux kernel commit c558246ee73e ("mptcp: add statistics for mptcp socket in use")
    (in v6.3) on, which is nowhere to be seen; what came after it is: a counter of d9cd27b8cd19
    ("mptcp: add CurrEstab MIB counter support") (in v6.8).
    """
    memo = request.snapshot.memo
    if "counts mptcp" not in memo:
        try:
            memo["counts mptcp"] = b" MPCurrEstab" in b"".join(read_net(host, "netstat"))
        except OSError:
            memo["counts mptcp"] = False
    known: bool = memo["counts mptcp"]
    return known
