"""What drivers say of their interface: SIOCETHTOOL.

Source: include/uapi/linux/ethtool.h; netdevice(7).
"""

from __future__ import annotations

from struct import Struct
from sys import byteorder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

_SIOCETHTOOL: Final = 0x8946
_GSET: Final = 1
_GDRVINFO: Final = 3
#: struct ethtool_cmd: cmd, supported, advertising, speed, duplex, port, phy_address, transceiver,
#: autoneg, mdio_support, maxtxpkt, maxrxpkt, speed_hi, eth_tp_mdix, eth_tp_mdix_ctrl,
#: lp_advertising, reserved.
_SETTINGS: Final = Struct("=IIIHBBBBBBIIHBBI8x")
#: struct ethtool_drvinfo: cmd, driver, version, fw_version, bus_info and what is of no use here.
_DRIVER: Final = Struct("=I32s32s32s32s64x")
_IFREQ: Final = Struct("16sP16x")
_UNKNOWN: Final = 0xFFFFFFFF


def _ask(interface: str, layout: Struct, command: int) -> tuple[object, ...]:
    """The answer to one command.

    :raises OSError: EOPNOTSUPP when the driver has none, ENODEV when there is no interface.
    """
    from array import array
    from fcntl import ioctl
    from socket import AF_INET, SOCK_DGRAM, socket

    # The request holds the address of a buffer that the kernel reads and fills.
    buffer = array("B", command.to_bytes(4, byteorder) + bytes(layout.size - 4))
    name = interface.encode("utf-8", "surrogateescape")
    with socket(AF_INET, SOCK_DGRAM) as asking:
        ioctl(asking, _SIOCETHTOOL, _IFREQ.pack(name, buffer.buffer_info()[0]))
    return layout.unpack(buffer)


def link_speed(interface: str) -> int:
    """Megabits a second, 0 when the driver does not know."""
    try:
        fields = _ask(interface, _SETTINGS, _GSET)
    except OSError:
        return 0
    low, high = fields[3], fields[12]
    assert isinstance(low, int)
    assert isinstance(high, int)
    found = high << 16 | low
    return 0 if found == _UNKNOWN else found


def bus_info(interface: str) -> str:
    """Where the device is on its bus, empty for virtual ones; -1 when there is no telling."""
    try:
        info = _ask(interface, _DRIVER, _GDRVINFO)[4]
    except OSError:
        return "-1"
    assert isinstance(info, bytes)
    return info.rstrip(b"\0").decode("utf-8", "backslashreplace")
