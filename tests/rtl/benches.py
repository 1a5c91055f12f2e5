"""Build a design with coverage counters, run its test bench on it, and say what was covered."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import coverage_code
import coverage_model
from coverage_code import Point
from coverage_model import Covered
from tb_bitsys import Device

from triptych import paths
from triptych.bitsys import simulate
from triptych.bitsys.design import Design

HERE = Path(__file__).parent
WIDTHS = {4: (1, 2, 4), 8: (1, 2, 4, 8), 16: (1, 2, 4, 8, 16)}
COUNTERS = ("--coverage-line", "--coverage-toggle", "--coverage-user")
# Counters keep Verilator from inlining, and then it takes chains of elements of one signal for loops.
OPTIONS = (*simulate.CHECKED, "-Wno-UNOPTFLAT")


@dataclass(frozen=True)
class Bench:
    """A compiled design and its test bench."""

    design: Design
    counters: bool = False

    @property
    def device(self) -> Device:
        design = self.design
        latencies = tuple(design.latency_at(width) for width in design.widths)
        intervals = tuple(design.interval(width) for width in design.widths)
        return Device(design.kind, design.unit, design.n, design.widths, latencies, intervals, design.acc_width)

    def build(self) -> Path:
        """Compile with assertions on; with counters of lines, branches and toggles if asked."""
        design = self.design
        sources = [*design.sources, paths.rtl() / "lint" / "verilator.vlt"]
        visible = paths.build() / "bitsys" / f"{design.top}.vlt"
        visible.parent.mkdir(parents=True, exist_ok=True)
        ports = "".join(f'public_flat_rw -module "{design.top}" -var "{name}"\n' for name in ("*_i", "*_ni", "*_o"))
        visible.write_text(f"`verilator_config\n{ports}", "utf-8")
        counters = COUNTERS if self.counters else ()
        return simulate.build(design.top, [*sources, visible], design.parameters, *OPTIONS, *counters)

    def run(self, scratch: Path, tests: str = "", *, assertions: bool = True) -> None:
        """Run the tests whose name matches; those with unlisted mode codes need `assertions` off.

        Raises RtlError when a test fails.
        """
        scratch.mkdir(parents=True, exist_ok=True)
        python = os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")])
        env = {**self.device.to_env(), "PYTHONPATH": python, "COCOTB_TEST_FILTER": tests}
        plusargs = [] if assertions else ["+verilator+noassert"]
        simulate.run(
            self.build(), self.design.top, f"tb_bitsys_{self.design.unit}", scratch, plusargs=plusargs, env=env
        )

    def run_all(self, scratch: Path) -> None:
        """Every test: with listed mode codes under assertions, and with unlisted ones, where there are any, without."""
        # By filter, not by cocotb's `skip`, which a filter overrides. Every pair takes long in Python beyond N = 4.
        left_out = "beyond_the_list" if self.design.n == 4 else "beyond_the_list|exhaustive"
        self.run(scratch / "listed", f"^(?!.*({left_out}))")
        if self.device.unlisted:
            self.run(scratch / "unlisted", "beyond_the_list", assertions=False)


def functional(device: Device, scratch: Path, without: str = "") -> dict[str, Covered]:
    """Functional coverage of the runs in a folder, but for the test named `without`."""
    return coverage_model.measure(device, [path for path in scratch.rglob("*.npz") if path.stem != without])


def code(scratch: Path) -> dict[Point, int]:
    """Line, branch and toggle coverage of the runs in a folder."""
    return coverage_code.merge(scratch.rglob("coverage.dat"))
