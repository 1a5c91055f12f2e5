"""A second view on size and speed: standard cells of a 0.18 µm process, timed without wires.

yosys maps to the open osu018 library (Oklahoma State University, typical corner, 1.8 V, 25 °C), OpenSTA finds the worst
path from register to register. Wires have no length here, so frequencies are above what a layout would reach, and
relative like those of `place`. A standard-cell library has no shift-register LUTs: each stage of a delay line is a
flip-flop and is paid for as one, about 14 simple gates of area. A design that leans on shift registers on an
FPGA looks larger here; compare with its `-nosrl` count.

Both tools are optional (Debian: opensta, qflow-tech-osu018). `find` says what is missing; nothing stands in for them.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel

from triptych.bitsys import builds, synthesise
from triptych.bitsys.design import Design
from triptych.bitsys.tools import RtlError
from triptych.errors import ToolMissing

LIBERTY = Path("/usr/share/qflow/tech/osu018/osu018_stdcells.lib")
"""Where the Debian package qflow-tech-osu018 puts the library."""

ABC = "strash; ifraig; scorr; balance; dch -f; map -D 1; buffer; upsize -D 1; dnsize -D 1"
"""Gates are mapped for speed: yosys' own script favours area and leaves adders a third slower."""

FLOW = f"synth -flatten; dfflibmap osu018; abc osu018: {ABC}"

PERIOD = 10.0
"""Nanoseconds of the clock that paths are measured against; of no influence on the result."""


class View(BaseModel):
    """A design in standard cells.

    `area_um2` is the sum of the cells' areas (µm², no wires, no utilisation), `ffs_um2` the flip-flops' part of it,
    `cells` and `ffs` numbers of cells. `period_ns` is the shortest clock period, set-up included; `start` and `end` are
    the nets that the two registers of the worst path drive, `levels` the gates between them.
    """

    area_um2: float
    ffs_um2: float
    cells: int
    ffs: int
    period_ns: float
    start: str
    end: str
    levels: int
    flow: str
    tools: dict[str, str]

    @property
    def mhz(self) -> float:
        """Highest clock frequency without wires."""
        return 1000 / self.period_ns


@dataclass(frozen=True)
class Tools:
    """OpenSTA's program and version, and the cell library."""

    sta: Path
    version: str
    liberty: Path


def find() -> Tools:
    """Raises ToolMissing when OpenSTA or the cell library is not on this machine."""
    program = shutil.which("sta")
    missing = [name for name, there in (("opensta", program), ("qflow-tech-osu018", LIBERTY.exists())) if not there]
    if program is None or missing:
        raise ToolMissing(
            f"the standard-cell view needs {' and '.join(missing)}, not on this machine",
            f"Debian, Ubuntu: apt-get install --no-install-recommends {' '.join(missing)}",
        )
    said = subprocess.run([program, "-version"], capture_output=True, text=True, check=False).stdout
    return Tools(Path(program), said.strip(), LIBERTY)


def view(design: Design) -> View:
    """Map a design to standard cells and time it.

    Kept in the cache by the RTL's bytes, the parameters, the library's bytes and the tools' versions. Raises
    ToolMissing (see `find`), RtlError when a tool refuses the design or its worst path does not join two registers.
    """
    found = find()
    versions = {"pyosys": synthesise.version(), "opensta": found.version}
    facts = {"top": design.top, "parameters": design.parameters, "flow": FLOW, "tools": versions, "form": 1}

    def make(folder: Path) -> None:
        shutil.copy(found.liberty, folder / "osu018.lib")
        passes = [
            synthesise.elaborate(design),
            f"synth -flatten -top {design.top}",
            "read_liberty -lib osu018.lib",  # later passes need to know which pins are outputs
            "dfflibmap -liberty osu018.lib",
            f"abc -liberty osu018.lib -D 1 -script +{ABC.replace('; ', ';').replace(' ', ',')}",
            "splitnets -ports",  # OpenSTA reads no concatenations
            "opt_clean -purge",
            "rename -wire",
            "check -assert",
            "tee -q -o stat.json stat -json -liberty osu018.lib",
            "write_verilog -noattr -noexpr -simple-lhs cells.v",
        ]
        synthesise.run(passes, folder, design)
        (folder / "time.tcl").write_text(
            f"read_liberty osu018.lib\nread_verilog cells.v\nlink_design {design.top}\n"
            # Ports have no delays, so only paths between registers are constrained.
            f"create_clock -name clock -period {PERIOD} [get_ports clk_i]\n"
            "report_checks -path_delay max -digits 4\n",
            "utf-8",
        )
        done = subprocess.run([found.sta, "-exit", "time.tcl"], cwd=folder, capture_output=True, text=True, check=False)
        said = done.stdout + done.stderr
        (folder / "sta.log").write_text(said, "utf-8")
        if done.returncode or "Error" in said:
            wrong = [line for line in said.splitlines() if "Error" in line] or said.splitlines()[-8:]
            raise RtlError(f"OpenSTA refused {design.top}:\n" + "\n".join(wrong[:8]))
        seen = read((folder / "stat.json").read_bytes(), said, design.top, versions)
        (folder / "view.json").write_text(seen.model_dump_json(indent=1), "utf-8")
        (folder / "osu018.lib").unlink()

    folder = builds.once("asic", builds.key([*design.sources, found.liberty], facts), make)
    return View.model_validate_json((folder / "view.json").read_bytes())


class _Module(BaseModel):
    area: float
    sequential_area: float
    num_cells: int
    num_cells_by_type: dict[str, int]


class _Stat(BaseModel):
    modules: dict[str, _Module]


_REGISTER = r"(\S+)\s+\(rising edge-triggered flip-flop clocked by clock\)"
_PATH = re.compile(rf"Startpoint: {_REGISTER}\s+Endpoint: {_REGISTER}\s")
_SLACK = re.compile(r"(-?[\d.]+) +slack ")
_GATE = re.compile(r"[\^v] \S+/(\w+) \((\w+)\)$", re.MULTILINE)


def read(stat: bytes, timing: str, top: str, versions: dict[str, str]) -> View:
    """What yosys counted (stat -json) and OpenSTA reported (report_checks) of one design.

    Raises RtlError when the worst path does not join two flip-flops.
    """
    module = _Stat.model_validate_json(stat).modules[f"\\{top}"]
    ends, slack = _PATH.search(timing), _SLACK.search(timing)
    if ends is None or slack is None:
        raise RtlError(f"OpenSTA found no path between two registers of {top}:\n{timing[-1500:]}")
    start, end = (name.split("\\")[0] for name in ends.groups())  # what follows is the cell's kind
    gates = [kind for pin, kind in _GATE.findall(timing) if pin.startswith("Y")]
    return View(
        area_um2=module.area,
        ffs_um2=module.sequential_area,
        cells=module.num_cells,
        ffs=sum(number for kind, number in module.num_cells_by_type.items() if kind.startswith("DFF")),
        period_ns=round(PERIOD - float(slack[1]), 4),
        start=start,
        end=end,
        levels=len(gates),
        flow=FLOW,
        tools=versions,
    )
