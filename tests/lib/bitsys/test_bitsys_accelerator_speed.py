"""The clocks of accelerators' units: a series of seeds goes on where its record ends."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from triptych.bitsys import place
from triptych.bitsys.accelerator import speed
from triptych.bitsys.place import CriticalPath, Placed, Run

MACHINE = speed.machines()[0]
PATH = CriticalPath(start="", end="", through=[], logic_ns=1, routing_ns=1)


def placed(seeds: list[int], mhz: float) -> Placed:
    runs = [Run(seed=seed, mhz=mhz + seed, combs=1, ffs=1, path=PATH) for seed in seeds]
    tools = {"nextpnr": "7"}
    return Placed(netlist="same", flow="", settings=list(place.SETTINGS), tools=tools, cells={}, runs=runs)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    found: list[list[int]] = []

    def fmax(_: object, seeds: list[int]) -> Placed:
        found.append(list(seeds))
        return placed(seeds, 200)

    monkeypatch.setattr(place, "fmax", fmax)
    monkeypatch.setattr(place, "version", lambda: "7")
    monkeypatch.setattr(speed, "netlist", SimpleNamespace(digest=lambda _: "same"))
    return found


def test_seeds_that_are_recorded_are_not_run_again(asked: list[list[int]]) -> None:
    one = speed.fmax(MACHINE, (1, 2, 3, 4), placed([1, 3], 100))
    assert asked == [[2, 4]]
    assert [(run.seed, run.mhz) for run in one.runs] == [(1, 101), (2, 202), (3, 103), (4, 204)]
    assert one.median_mhz == 152.5
    assert speed.fmax(MACHINE, (3, 1), one).median_mhz == 102
    assert asked == [[2, 4]], "nothing was missing"


@pytest.mark.parametrize(
    "other", [{"netlist": "another"}, {"settings": ["--12k"]}, {"tools": {"nextpnr": "6"}}], ids=str
)
def test_runs_of_another_netlist_or_another_nextpnr_are_not_taken(
    asked: list[list[int]], other: dict[str, object]
) -> None:
    known = placed([1, 2], 100).model_copy(update=other)
    assert [run.mhz for run in speed.fmax(MACHINE, (1, 2), known).runs] == [201, 202]
    assert asked == [[1, 2]]


def test_without_a_record_all_seeds_are_run(asked: list[list[int]]) -> None:
    speed.fmax(MACHINE, (1, 2))
    assert asked == [[1, 2]]
