"""Each kind of descriptor that has no name of its own: its type and what fdinfo says of it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sockql import connect
from sockql.engine import Engine
from tests.live import kinds
from tests.live.children import child
from tests.test_peers_doc import queries_of


@pytest.fixture
def engine() -> Iterator[Engine]:
    with connect() as made:
        yield made


def known(found: Any, expected: Any) -> Any:
    """Of ``found`` what the test knows, so that the two can be compared with ==."""
    if isinstance(expected, dict) and isinstance(found, dict):
        return {key: known(found.get(key), value) for key, value in expected.items()}
    if isinstance(expected, list) and isinstance(found, list) and len(found) == len(expected):
        return [known(one, other) for one, other in zip(found, expected)]
    return found


@pytest.mark.parametrize("factory", kinds.FACTORIES, ids=lambda factory: factory.__name__)
def test_a_kind_has_its_type_and_the_kernels_words_for_it(
    engine: Engine, factory: Callable[[], kinds.Made]
) -> None:
    def prepare() -> kinds.Made | str:
        os.open("/dev/null", os.O_RDWR)
        return kinds.attempt(factory)

    with child(prepare) as (pid, made):
        if isinstance(made, str):
            pytest.skip(f"this kernel has no {factory.__name__} ({made})")
        [(type, info, target, inode)] = engine.query(
            f"select type, info, target, inode from fds where pid = {pid} and fd = {made.fd}"
        )
        shown = os.readlink(f"/proc/{pid}/fd/{made.fd}")
    found = None if info is None else json.loads(info)
    assert (type, target, inode is None) == (made.type, shown, made.type != "socket")
    assert known(found, made.info) == made.info


def test_info_answers_questions_in_sql(engine: Engine) -> None:
    def prepare() -> list[kinds.Made | str]:
        return [kinds.attempt(factory) for factory in (kinds.timerfd, kinds.signalfd)]

    with child(prepare) as (pid, made):
        assert all(isinstance(one, kinds.Made) for one in made)
        timers = engine.query(
            "select info ->> 'it_value' between 0 and 1000000 - 1, info ->> 'clockid' from fds"
            f" where pid = {pid} and type = 'timerfd'"
        )
        waiting = engine.query(
            "select pid, value from fds, json_each(info, '$.sigmask')"
            f" where pid = {pid} and fds.type = 'signalfd' and value = 'SIGTERM'"
        )
    assert timers == [(1, "CLOCK_MONOTONIC")]
    assert waiting == [(pid, "SIGTERM")]


def test_types_of_bpf_have_names_on_the_page_of_the_peers(engine: Engine) -> None:
    def prepare() -> list[kinds.Made | str]:
        return [kinds.attempt(factory) for factory in (kinds.bpf_map, kinds.bpf_program)]

    with child(prepare) as (pid, made):
        for one in made:
            if isinstance(one, str):
                pytest.skip(f"no BPF here ({one})")
        found = [
            row[3]
            for sql in queries_of("Types of BPF")
            for row in engine.query(sql)
            if row[0] == pid
        ]
    assert found == ["hash", "socket_filter"]
