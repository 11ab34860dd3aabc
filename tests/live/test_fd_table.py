"""Tables of many descriptors, of which not all are listed: dense, with gaps, and changing."""

from __future__ import annotations

import os
import random
from collections.abc import Callable

import pytest

from sockql import connect
from sockql.proc.fd_table import numbers
from tests.live.children import child


def opened(*wanted: int) -> Callable[[], None]:
    """Have exactly the descriptors ``wanted`` open, besides the one that talks to the test."""

    def prepare() -> None:
        null = os.open("/dev/null", os.O_RDONLY)
        for number in sorted(wanted, reverse=True):
            if number != null:
                os.dup2(null, number)
        if null not in wanted:
            os.close(null)

    return prepare


@pytest.mark.parametrize(
    "wanted",
    [
        pytest.param(range(300), id="dense"),
        pytest.param([*range(10), *range(12, 300), 1023, 2000], id="few gaps"),
        pytest.param(range(0, 400, 2), id="half of them gaps"),
        pytest.param([*range(70), *range(1100, 1170)], id="two heaps"),
        pytest.param(range(1000, 1100), id="none below"),
        pytest.param([0, 1, 2], id="few"),
    ],
)
def test_each_descriptor_is_a_row_and_nothing_else(wanted: list[int]) -> None:
    with connect() as engine, child(opened(*wanted)) as (pid, _):
        here = sorted(map(int, os.listdir(f"/proc/{pid}/fd")))
        assert [number for number in here if number in wanted] == [*wanted]
        assert engine.query(f"select fd from fds where pid = {pid} order by fd") == [
            (number,) for number in here
        ]
        assert engine.query(
            f"select fd, target from fds where pid = {pid} and type = 'chr' order by fd"
        ) == [(number, "/dev/null") for number in wanted]


def test_what_stays_open_is_found_while_others_come_and_go() -> None:
    stable = [*range(0, 200, 3), 777, 3000]

    def churn() -> None:
        null = os.open("/dev/null", os.O_RDONLY)
        others = [number for number in range(1200) if number not in stable and number != null]
        while True:
            number = random.choice(others)
            os.dup2(null, number)
            os.close(random.choice(others[:150]) if random.random() < 0.5 else number)

    def safely() -> None:
        while True:
            try:
                churn()
            except OSError:
                continue

    with child(opened(*stable), safely) as (pid, _):
        directory = os.open(f"/proc/{pid}/fd", os.O_RDONLY | os.O_DIRECTORY)
        try:
            for _ in range(300):
                assert set(map(str, stable)) <= set(numbers(directory))
        finally:
            os.close(directory)
        with connect() as engine:
            for _ in range(30):
                found = {fd for (fd,) in engine.query(f"select fd from fds where pid = {pid}")}
                assert found >= set(stable)
