"""The RTL is clean under Verilator's -Wall and verible; every waiver stands in rtl/lint with its reason."""

from __future__ import annotations

import itertools
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from triptych import paths
from triptych.bitsys import tools
from triptych.bitsys.accelerator import simulate
from triptych.bitsys.accelerator.machine import Machine
from triptych.bitsys.accelerator.speed import core
from triptych.bitsys.design import KINDS, Design, needed

DESIGNS = [
    Design(4, (1, 2, 4)),
    Design(8, (1, 2, 4, 8)),
    Design(16, (1, 2, 4, 8, 16)),
    Design(8, (8,)),
    Design(8, (1,)),
    Design(8, (2, 4)),
    Design(16, (4, 8, 16)),
    Design(4, (1, 2, 4), unit="mac"),
    Design(8, (1, 2, 4, 8), unit="mac"),
    Design(16, (1, 2, 4, 8, 16), unit="mac", acc_width=40),
    Design(8, (8,), unit="mac"),
    Design(8, (1,), unit="mac", acc_width=16),
    Design(8, (2, 4), unit="mac"),
]
RIVALS = [
    Design(n, widths, unit=unit, kind=kind, acc_width=40 if n == 16 else 32)
    for kind in KINDS
    if kind != "bitsys"
    for unit in ("mul", "mac")
    for n, widths in ((4, (1, 2, 4)), (8, (1, 2, 4, 8)), (16, (1, 2, 4, 8, 16)), (8, (1,)), (8, (8,)), (8, (2, 4)))
]

MACHINES = [
    Machine("systolic"),
    Machine("systolic", "fixed", rows=1, columns=2, port_bits=1),
    Machine("systolic", "mtree", rows=3, columns=8, port_bits=16, widths=(2, 8)),
    Machine("single_layer", "bitshift"),
    Machine("single_layer", rows=1, columns=2, port_bits=16, widths=(8,)),
    Machine("single_layer", "fixed", rows=8, columns=8),
    Machine("systolic", "fixed", rows=4, columns=2, port_bits=16, bands=2),
]


def verilator_lint(design: Design, sources: list[Path]) -> str:
    return lint(design.top, design.parameters, sources)


def lint(top: str, settings: Mapping[str, int], sources: list[Path]) -> str:
    found = tools.verilator()
    parameters = [f"-G{name}={value}" for name, value in settings.items()]
    files = [paths.rtl() / "lint" / "verilator.vlt", *sources]
    done = subprocess.run(
        [found.folder / "verilator", "--lint-only", "-Wall", "--top-module", top, *parameters, *files],
        env=found.settings(),
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stderr if done.returncode or "%Warning" in done.stderr else ""


@pytest.mark.parametrize("design", [*DESIGNS, *RIVALS], ids=lambda design: f"{design.top} {design.n}: {design.widths}")
def test_verilator_has_no_complaint(design: Design) -> None:
    assert verilator_lint(design, design.sources) == ""


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: f"{machine.label} {machine.widths}")
def test_verilator_has_no_complaint_about_an_accelerator(machine: Machine) -> None:
    harness_only = {"Systolic"} if machine.dataflow == "systolic" else {"Systolic", "Bands"}
    parameters = {name: value for name, value in simulate.parameters(machine).items() if name not in harness_only}
    assert lint(machine.dataflow, parameters, accelerator(machine.dataflow)) == ""


@pytest.mark.parametrize("kind", ["bitsys", "fixed"])
def test_verilator_has_no_complaint_about_what_stands_for_the_units_in_simulation(kind: str) -> None:
    rtl = paths.rtl()
    sources = needed("mac_of_kind", [rtl / "bitsys", rtl / "baselines", rtl / "sim" / "lanes"])
    assert rtl / "sim" / "lanes" / "mac_of_kind.sv" in sources
    assert lint("mac_of_kind", {"Kind": KINDS.index(kind)}, sources) == ""


@pytest.mark.parametrize("machine", MACHINES[1:5], ids=lambda machine: f"{machine.label} {machine.widths}")
def test_verilator_has_no_complaint_about_the_units_that_are_placed(machine: Machine) -> None:
    one = core(machine)
    assert lint(one.top, one.parameters, one.sources) == ""


def accelerator(top: str) -> list[Path]:
    rtl = paths.rtl()
    return needed(top, [rtl / "bitsys", rtl / "baselines", rtl / "accelerators"])


SMALL = {"Kind": KINDS.index("fixed"), "Rows": 1, "Columns": 2, "PortBits": 16}
ILLEGAL = [
    ("systolic", {"Rows": 0}, "Rows = 0 must be from 1 to 64"),
    ("single_layer", {"Rows": 0, "PortBits": 1}, "Rows = 0 must be from 1 to 64"),
    ("systolic", {"Columns": 6, "PortBits": 48}, "Columns = 6 must be a power of two from 2 to 64"),
    ("systolic", {"N": 16}, "N = 16, AccWidth = 32 must be 8 and 32"),
    ("single_layer", {"N": 5, "PortBits": 5}, "N = 5, AccWidth = 32 must be 8 and 32"),
    ("systolic", {"AccWidth": 40}, "N = 8, AccWidth = 40 must be 8 and 32"),
    ("systolic", {"Widths": 0x108, "Kind": 0}, "Widths = 32'h108 must list powers of two up to N = 8"),
    ("single_layer", {"Kind": 3}, "Kind = 3 must take a token a cycle"),
    ("systolic", {"PortBits": 24}, "PortBits = 24 must divide LineBits = 16"),
    ("systolic", {"TableLines": 1}, "TableLines = 1, Instructions = 32 must each be at least 2"),
    ("systolic", {"Rows": 4, "Bands": 3}, "Bands = 3 must divide Rows = 4"),
    ("accelerators_core", {"Kind": 3, "Systolic": 0}, "Kind = 3 must take a token a cycle"),
    ("accelerators_core", {"Rows": 0}, "Rows = 0, Columns = 2 must each be at least 1"),
    ("accelerators_core", {"N": 5, "Kind": 0}, "N = 5 is not a container width; choose 4, 8 or 16"),
]


@pytest.mark.parametrize(("top", "parameters", "words"), ILLEGAL, ids=str)
def test_an_accelerator_refuses_an_illegal_parameter_with_its_value(
    top: str, parameters: dict[str, int], words: str
) -> None:
    settings = SMALL | parameters
    if top == "accelerators_core":
        del settings["PortBits"]
    assert words in lint(top, settings, accelerator(top))


def test_the_lint_would_complain(tmp_path: Path) -> None:
    for path in Design().sources:
        shutil.copy(path, tmp_path)
    adder = tmp_path / "bitsys_adder.sv"
    adder.write_text(adder.read_text("utf-8").replace("logic [Width:0] carry;", "logic [Width+1:0] carry;"), "utf-8")
    assert "bitsys_adder.sv" in verilator_lint(Design(), Design(rtl=tmp_path).sources)


def test_verible_has_no_complaint() -> None:
    program = shutil.which(
        "verible-verilog-lint", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    )
    assert program, "the lock holds verible"
    files = sorted(paths.rtl().rglob("*.sv"))
    rules = paths.rtl() / "lint" / "verible.rules"
    done = subprocess.run([program, f"--rules_config={rules}", *files], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", sorted(paths.rtl().rglob("*.sv")), ids=lambda path: path.name)
def test_one_documented_module_a_file(path: Path) -> None:
    """The file is named after its module or package, and it, every parameter and every port have a `///` line."""
    lines = path.read_text("utf-8").splitlines()
    starts = [line.split()[1].rstrip(";") for line in lines if line.startswith(("module ", "package "))]
    assert starts == [path.stem]
    declared = re.compile(r"(module|package) |  (parameter|localparam) .*[^;]$|  (input|output) ")
    header = lines[: lines.index(");")] if ");" in lines else lines  # a package has no ports
    for above, line in itertools.pairwise(header):
        if declared.match(line):
            assert above.lstrip().startswith("///"), f"{path.name}: no /// above {line.strip()!r}"
