"""The standard-cell view: what is read from the tools, what happens without them, and one real design."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from triptych.bitsys import asic, netlist
from triptych.bitsys.design import Design
from triptych.bitsys.tools import RtlError
from triptych.errors import ToolMissing

TIMING = r"""
Startpoint: u_tag.mode_q[1]\\DFFPOSX1
            (rising edge-triggered flip-flop clocked by clock)
Endpoint: _56_ (rising edge-triggered flip-flop clocked by clock)
Path Group: clock
Path Type: max

    Delay      Time   Description
-------------------------------------------------------------
   0.0000    0.0000   clock clock (rise edge)
   0.0000    0.0000 ^ u_tag.mode_q[1]\\DFFPOSX1/CLK (DFFPOSX1)
   0.2264    0.2264 v u_tag.mode_q[1]\\DFFPOSX1/Q (DFFPOSX1)
   0.3103    0.5368 v _215_/Y (OR2X1)
   0.0965    1.1020 ^ u_sum.sum[1]\\XOR2X1/Y (XOR2X1)
   0.0000    1.1020 ^ _56_/D (DFFPOSX1)
             1.1020   data arrival time

  -0.1836    9.8164   library setup time
-------------------------------------------------------------
             8.7144   slack (MET)
"""
STAT = json.dumps(
    {
        "modules": {
            r"\top": {
                "area": 300.0,
                "sequential_area": 192.0,
                "num_cells": 5,
                "num_cells_by_type": {"DFFPOSX1": 2, "OR2X1": 3},
            }
        }
    }
).encode()


def test_a_report_says_how_large_how_fast_and_what_limits_it() -> None:
    view = asic.read(STAT, TIMING, "top", {})
    assert (view.area_um2, view.ffs_um2, view.cells, view.ffs) == (300, 192, 5, 2)
    assert (view.start, view.end, view.levels) == ("u_tag.mode_q[1]", "_56_", 2)
    assert view.period_ns == 1.2856
    assert view.mhz == pytest.approx(777.8, abs=0.1)


def test_a_period_longer_than_the_clock_is_read_too() -> None:
    assert asic.read(STAT, TIMING.replace("8.7144   slack (MET)", "-2.5   slack (VIOLATED)"), "top", {}).mhz == 80


@pytest.mark.parametrize("start", ["Startpoint: a_i (input port clocked by clock)", "No paths found."])
def test_a_path_that_does_not_join_two_registers_is_refused(start: str) -> None:
    with pytest.raises(RtlError, match="no path between two registers of top"):
        asic.read(STAT, re.sub(r"Startpoint: .*\n.*", start, TIMING), "top", {})


def test_absent_tools_are_named_with_the_way_to_get_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(asic, "LIBERTY", tmp_path / "absent.lib")
    with pytest.raises(ToolMissing, match="opensta and qflow-tech-osu018") as failure:
        asic.view(Design())
    assert failure.value.hint and failure.value.hint.endswith("opensta qflow-tech-osu018")


def test_a_library_alone_is_not_enough(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "there.lib").touch()
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(asic, "LIBERTY", tmp_path / "there.lib")
    with pytest.raises(ToolMissing, match="needs opensta, not on"):
        asic.find()


def installed() -> bool:
    try:
        asic.find()
    except ToolMissing:
        return False
    return True


@pytest.mark.slow
@pytest.mark.skipif(not installed(), reason="opensta or qflow-tech-osu018 is not on this machine")
def test_a_real_design_has_the_registers_of_its_netlist_and_their_area() -> None:
    design = Design(4, (1, 2, 4))
    view = asic.view(design)
    assert view.ffs == netlist.of(design).counts()["TRELLIS_FF"], "no shift registers on either"
    library = asic.find().liberty.read_text("latin-1")
    one = re.search(r"cell \(DFFPOSX1\) \{\s*area : (\d+)", library)
    assert one
    assert view.ffs_um2 == view.ffs * int(one[1]) < view.area_um2
    assert 0.2 < view.period_ns < 10
    assert view.levels >= 1
