"""What ``ss -i`` shows of TCP and MPTCP connections, word by word against the columns."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from tests.differential.machine import Row, World, ordered
from tests.differential.peers import SsInet, ss_inet

Need = Callable[[str], None]

#: A column and the word for it, of which ss leaves out those that are 0.
WORDS = {
    "bytes_sent": "bytes_sent",
    "bytes_acked": "bytes_acked",
    "bytes_received": "bytes_received",
    "segs_out": "segs_out",
    "segs_in": "segs_in",
    "data_segs_out": "data_segs_out",
    "data_segs_in": "data_segs_in",
    "delivered": "delivered",
    "unacked": "unacked",
    "sacked": "sacked",
    "lost": "lost",
    "snd_mss": "mss",
    "pmtu": "pmtu",
    "rcv_mss": "rcvmss",
    "advmss": "advmss",
    "snd_cwnd": "cwnd",
    "rcv_space": "rcv_space",
    "rcv_ssthresh": "rcv_ssthresh",
    "snd_wnd": "snd_wnd",
    "notsent_bytes": "notsent",
}
COLUMNS = ("cookie", "state", *WORDS, "rtt", "rttvar", "min_rtt", "send_rate", "app_limited")
TCP = f"""
    select {", ".join(COLUMNS)}, options, snd_wscale, rcv_wscale, ulp, subflow_token_loc
    from sockets where protocol = 'tcp' and snd_mss is not null
"""


def word(line: SsInet, name: str) -> str | None:
    return line.detail(rf"{name}:(\S+)")


def milliseconds(value: int | None) -> str | None:
    return None if value is None else f"{value / 1000:g}"


def tcp_words(row: Row) -> Row:
    """A row as ss shows it."""
    cells = dict(zip((*COLUMNS, "options", "snd_wscale", "rcv_wscale", "ulp", "token"), row))
    options = (cells["options"] or "").split(",")
    wscale = f"{cells['snd_wscale']},{cells['rcv_wscale']}"
    return (
        f"{cells['cookie']:x}",
        *(str(cells[name]) if cells[name] else None for name in WORDS),
        f"{milliseconds(cells['rtt'])}/{milliseconds(cells['rttvar'])}" if cells["rtt"] else None,
        milliseconds(cells["min_rtt"]) if cells["min_rtt"] else None,
        cells["send_rate"],
        bool(cells["app_limited"]),
        ("timestamps" in options, "sack" in options),
        wscale if cells["snd_wscale"] is not None else None,
        cells["ulp"],
        cells["token"],
    )


def tcp_line(line: SsInet) -> Row:
    send = line.detail(r"send (\d+)bps")
    token = line.detail(r"token:[0-9a-f]+\(id:\d+\)/([0-9a-f]+)\(id:\d+\)")
    words = line.details.split()
    return (
        word(line, "sk"),
        *(word(line, name) for name in WORDS.values()),
        word(line, "rtt"),
        word(line, "minrtt"),
        # Of eight times the rate ss cuts less than one byte.
        None if send is None else int(send) // 8,
        "app_limited" in words,
        ("ts" in words, "sack" in words),
        word(line, "wscale"),
        line.detail(r"tcp-ulp-(\w+)"),
        None if token is None else int(token, 16),
    )


def lines(world: World, *flags: str) -> list[SsInet]:
    return list(ss_inet(re.sub(rb"\n\t", b" ", world.run("ss", "-HOnaei", *flags))))


def test_what_ss_tells_of_connections(world: World, need: Need) -> None:
    need("ss")

    def ask() -> list[SsInet]:
        found = lines(world, "-t", "-u")
        return [line for line in found if line.netid == "tcp" and word(line, "mss")]

    rows, found = world.agree(TCP.replace("snd_mss is not null", "snd_mss > 0"), ask)
    assert found
    # A listener has no mss in either of them.
    assert ordered(map(tcp_words, rows)) == ordered(map(tcp_line, found))


def test_what_ss_tells_of_mptcp(world: World, need: Need) -> None:
    need("ss")
    sql = """
        select cookie, src, sport, dst, dport, inode, mptcp_token, mptcp_write_seq, mptcp_snd_una,
               mptcp_rcv_nxt, mptcp_subflows_max
        from sockets where protocol = 'mptcp'
    """

    def ask() -> list[SsInet]:
        return [line for line in lines(world, "-M", "-u") if line.netid == "mptcp"]

    rows, found = world.agree(sql, ask)

    def shown(row: Row) -> Row:
        cookie, src, sport, dst, dport, inode, *numbers, subflows = row
        words = [f"{number % 2**64:x}" if number else None for number in numbers]
        peer = (dst, str(dport)) if dst else ("0.0.0.0", "*")
        return (f"{cookie:x}", src, str(sport), *peer, str(inode), *words, subflows or None)

    def told(line: SsInet) -> Row:
        numbers: list[Any] = [
            word(line, name) for name in ("token", "write_seq", "snd_una", "rcv_nxt")
        ]
        subflows = line.detail(r"subflows_max:(\d+)")
        ends = (line.local, line.local_port, line.peer, line.peer_port)
        return (
            *(word(line, "sk"), *ends, word(line, "ino"), *numbers),
            int(subflows) if subflows else None,
        )

    assert ordered(map(shown, rows)) == ordered(map(told, found))
    if "mptcp" not in world.missing:
        assert len(rows) == 3
