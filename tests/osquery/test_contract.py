"""osquery's tables have osquery's columns: names, types, order, and which of them are hidden."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sockql import osquery
from sockql.engine import Engine
from sockql.host import Host
from sockql.schema import UNITS, Column, Table
from tests.conftest import ROOT
from tests.osquery.asking import connected

#: As osquery 5.23.1 declares them on Linux, from its specs: a small letter is the type (t TEXT,
#: i INTEGER, b BIGINT, n TEXT COLLATE NOCASE, v TEXT of the collation VERSION), a dash in front
#: hides the column.
COLUMNS = {
    "arp_cache": "t:address n:mac t:interface t:permanent",
    "file": "t:path t:directory t:filename b:inode b:uid b:gid t:mode b:device b:size i:block_size"
    " b:atime b:mtime b:ctime b:btime i:hard_links i:symlink t:type t:symlink_target_path"
    " -t:attributes -t:volume_serial -t:file_id -v:file_version -v:product_version"
    " -t:original_filename -t:shortcut_target_path -t:shortcut_target_type"
    " -t:shortcut_target_location -t:shortcut_start_in -t:shortcut_run -t:shortcut_comment"
    " -t:bsd_flags -i:pid_with_namespace -t:mount_namespace_id",
    "groups": "b:gid b:gid_signed t:groupname -t:group_sid -t:comment -i:is_hidden"
    " -i:pid_with_namespace",
    "hash": "t:path t:directory t:md5 t:sha1 t:sha256 -i:pid_with_namespace -t:mount_namespace_id",
    "interface_addresses": "t:interface t:address t:mask t:broadcast t:point_to_point t:type"
    " -t:friendly_name",
    "interface_details": "t:interface n:mac i:type i:mtu i:metric i:flags b:ipackets b:opackets"
    " b:ibytes b:obytes b:ierrors b:oerrors b:idrops b:odrops b:collisions b:last_change"
    " b:link_speed t:pci_slot -t:friendly_name -t:description -t:manufacturer -t:connection_id"
    " -t:connection_status -i:enabled -i:physical_adapter -i:speed -t:service -i:dhcp_enabled"
    " -t:dhcp_lease_expires -t:dhcp_lease_obtained -t:dhcp_server -t:dns_domain"
    " -t:dns_domain_suffix_search_order -t:dns_host_name -t:dns_server_search_order",
    "kernel_info": "v:version t:arguments t:path t:device",
    "listening_ports": "i:pid i:port i:protocol i:family t:address b:fd b:socket t:path"
    " t:net_namespace",
    "mounts": "t:device t:device_alias t:path t:type b:blocks_size b:blocks b:blocks_free"
    " b:blocks_available b:inodes b:inodes_free t:flags",
    "os_version": "t:name v:version i:major i:minor i:patch t:build t:platform t:platform_like"
    " t:codename t:arch -t:extra -b:install_date -i:revision -i:pid_with_namespace"
    " -t:mount_namespace_id",
    "process_envs": "i:pid t:key t:value",
    "process_memory_map": "i:pid t:start t:end t:permissions b:offset t:device i:inode t:path"
    " i:pseudo",
    "process_namespaces": "i:pid t:cgroup_namespace t:ipc_namespace t:mnt_namespace"
    " t:net_namespace t:pid_namespace t:user_namespace t:uts_namespace",
    "process_open_files": "b:pid b:fd t:path",
    "process_open_pipes": "b:pid b:fd t:mode b:inode t:type b:partner_pid b:partner_fd"
    " t:partner_mode",
    "process_open_sockets": "i:pid b:fd b:socket i:family i:protocol t:local_address"
    " t:remote_address i:local_port i:remote_port t:path t:state t:net_namespace",
    "processes": "b:pid t:name t:path t:cmdline t:state t:cwd t:root b:uid b:gid b:euid b:egid"
    " b:suid b:sgid i:on_disk b:wired_size b:resident_size b:total_size b:user_time b:system_time"
    " b:disk_bytes_read b:disk_bytes_written b:start_time b:parent b:pgroup i:threads i:nice"
    " -i:elevated_token -i:secure_process -t:protection_type -i:virtual_process -b:elapsed_time"
    " -b:handle_count -b:percent_processor_time -b:upid -b:uppid -i:cpu_type -i:cpu_subtype"
    " -i:translated t:cgroup_path",
    "routes": "t:destination i:netmask t:gateway t:source i:flags t:interface i:mtu i:metric t:type"
    " i:hopcount",
    "system_info": "t:hostname t:uuid t:cpu_type t:cpu_subtype t:cpu_brand i:cpu_physical_cores"
    " i:cpu_logical_cores i:cpu_sockets t:cpu_microcode b:physical_memory t:hardware_vendor"
    " t:hardware_model t:hardware_version t:hardware_serial t:board_vendor t:board_model"
    " t:board_version t:board_serial t:computer_name t:local_hostname -t:emulated_cpu_type",
    "time": "t:weekday i:year i:month i:day i:hour i:minutes i:seconds t:timezone t:local_timezone"
    " i:unix_time t:timestamp t:datetime t:iso_8601 -b:win_timestamp -t:date_time",
    "uptime": "i:days i:hours i:minutes i:seconds b:total_seconds",
    "user_groups": "b:uid b:gid",
    "users": "b:uid b:gid b:uid_signed b:gid_signed t:username t:description t:directory t:shell"
    " n:uuid -t:type -i:is_hidden -i:pid_with_namespace -i:include_remote",
}
TYPES = {"t": "TEXT", "n": "TEXT", "v": "TEXT", "i": "INTEGER", "b": "BIGINT"}

TABLES = {table.schema.name: table for table in osquery.load_all()}
every_table = pytest.mark.parametrize("table", [*TABLES.values()], ids=[*TABLES])


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    """A connection that has these tables in place of sockql's own of the same names."""
    with connected(Host()) as made:
        yield made


def facts(name: str) -> list[tuple[str, str, bool]]:
    """Name, type, hidden of every column."""
    found = []
    for word in COLUMNS[name].split():
        kind, _, column = word.lstrip("-").partition(":")
        found.append((column, TYPES[kind], word[0] == "-"))
    return found


def test_every_file_is_a_table_and_every_table_a_file() -> None:
    folder = ROOT / "sockql" / "osquery" / "tables"
    files = {path.stem for path in Path(folder).glob("*.py")} - {"__init__"}
    assert set(osquery.NAMES) == set(TABLES) == files
    assert list(osquery.NAMES) == sorted(osquery.NAMES)


@every_table
def test_the_columns_are_those_of_osquery(engine: Engine, table: Table[Any]) -> None:
    name = table.schema.name
    found = engine.query(f"pragma table_xinfo({name})")
    assert [(row[1], row[2], row[6] == 1) for row in found] == facts(name)


@every_table
def test_columns_of_another_collation(table: Table[Any]) -> None:
    words = [word.lstrip("-").split(":") for word in COLUMNS[table.schema.name].split()]
    nocase = {column for kind, column in words if kind == "n"}
    versions = {column for kind, column in words if kind == "v"}
    assert {c.name for c in table.schema.columns if c.nocase} == nocase
    assert {c.name for c in table.schema.columns if c.collation == "VERSION"} == versions


@every_table
def test_a_table_and_its_columns_say_in_sentences_what_they_are(table: Table[Any]) -> None:
    assert table.schema.doc[0].isupper()
    assert table.schema.doc.endswith(".")
    assert table.schema.examples
    for column in table.schema.columns:
        assert column.doc.endswith(".")
        assert column.doc == " ".join(column.doc.split())
        assert column.source.strip()
        assert column.unit is None or column.unit in UNITS


@every_table
def test_examples_run_and_cells_have_the_type_of_their_column(
    engine: Engine, table: Table[Any]
) -> None:
    for example in table.schema.examples:
        engine.query(example)
    names = ", ".join(f'"{column.name}"' for column in table.schema.columns)
    where = {"file": "where directory = '/etc'", "hash": "where directory = '/etc'"}
    sql = f"select {names} from {table.schema.name} {where.get(table.schema.name, '')}"
    rows = engine.query(sql)
    for column, cells in zip(table.schema.columns, zip(*rows)):
        check_cells(column, set(map(type, cells)))


def check_cells(column: Column, types: set[type]) -> None:
    wanted = {"TEXT": str, "INTEGER": int}[column.type]
    assert types <= {wanted, type(None)}, column.name
    if type(None) in types:
        assert re.search(r"\bNULL\b", column.doc), f"{column.name}: {column.doc}"
