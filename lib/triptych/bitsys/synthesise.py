"""What a design costs on an FPGA: yosys maps it to UltraScale+ cells and we count them.

The counts are after technology mapping, before placement: no packing of two small LUTs into one, no timing. Every
design goes through the same command, so they compare with each other, not with a vendor tool's report.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import BaseModel

from triptych.bitsys import builds
from triptych.bitsys.design import Design
from triptych.bitsys.tools import RtlError
from triptych.errors import ToolMissing

FLOW = "synth_xilinx -family xcup -flatten -noiopad -noclkbuf"
"""UltraScale+ (the paper's Ultra96 family), out of context."""


class Resources(BaseModel):
    """Cells of a mapped design.

    `lut`: LUT1 to LUT6, and inverters, which occupy one. `srl`: LUTs used as shift registers. `ff`: flip-flops.
    `carry`: CARRY4 blocks. `mux`: MUXF7 and MUXF8. `dsp`: multiplier blocks. `other`: anything else, by name; nothing
    is left uncounted.
    """

    lut: int
    srl: int
    ff: int
    carry: int
    mux: int
    dsp: int = 0
    other: dict[str, int]
    flow: str
    yosys: str

    @property
    def luts_and_srls(self) -> int:
        """LUTs of either use: what the design occupies."""
        return self.lut + self.srl


def version() -> str:
    """Version of pyosys. Raises ToolMissing when it is not installed."""
    if importlib.util.find_spec("pyosys") is None:
        raise ToolMissing(
            "synthesis needs the Python package pyosys, which is not installed", "make setup installs the lock"
        )
    return importlib.metadata.version("pyosys")


def resources(design: Design, *, srl: bool = True, dsp: bool = False) -> Resources:
    """Cells of the design; with `srl=False` delay lines stay flip-flops, as on a device without shift-register LUTs.

    With `dsp=True` a `*` in the RTL may become a multiplier block; LUTs are compared without. The result is kept in the
    cache, by the RTL's bytes, the parameters, the flow and the version of pyosys. Raises ToolMissing without pyosys,
    RtlError with yosys' words when it refuses the design.
    """
    flow = " ".join([FLOW, *([] if dsp else ["-nodsp"]), *([] if srl else ["-nosrl"])])
    yosys = version()
    facts = {"top": design.top, "parameters": design.parameters, "flow": flow, "pyosys": yosys}

    def make(folder: Path) -> None:
        run([elaborate(design), flow, "check -assert", "tee -q -o stat.json stat -json"], folder, design)
        modules = json.loads((folder / "stat.json").read_text("utf-8"))["modules"]
        cells: dict[str, int] = modules[f"\\{design.top}"]["num_cells_by_type"]
        counted = count(cells, flow, yosys)
        (folder / "resources.json").write_text(counted.model_dump_json(indent=1), "utf-8")

    folder = builds.once("yosys", builds.key(design.sources, facts), make)
    return Resources.model_validate_json((folder / "resources.json").read_text("utf-8"))


def count(cells: Mapping[str, int], flow: str, yosys: str) -> Resources:
    """Sort the cells of a Xilinx netlist (name: number) into kinds."""
    kinds = {"lut": 0, "srl": 0, "ff": 0, "carry": 0, "mux": 0, "dsp": 0}
    other: dict[str, int] = {}
    prefixes = {"LUT": "lut", "INV": "lut", "SRL": "srl", "FD": "ff", "CARRY": "carry", "MUXF": "mux", "DSP": "dsp"}
    for name, number in cells.items():
        kind = next((kind for prefix, kind in prefixes.items() if name.startswith(prefix)), None)
        if kind:
            kinds[kind] += number
        elif not name.startswith("$scopeinfo"):  # a note on where cells came from, not hardware
            other[name] = number
    return Resources(**kinds, other=other, flow=flow, yosys=yosys)


_PROGRAM = """
import sys
from pyosys import libyosys
design = libyosys.Design()
for line in sys.stdin.read().splitlines():
    libyosys.run_pass(line, design)
"""


def read(top: str, parameters: Mapping[str, int], sources: Sequence[Path]) -> str:
    """The pass that reads SystemVerilog. LUT6_2 stays a primitive, whatever file describes it."""
    overrides = " ".join(f"-G {name}={value}" for name, value in parameters.items())
    files = " ".join(str(path) for path in sources)
    return f"read_slang --blackboxed-module LUT6_2 --top {top} {overrides} {files}"


def elaborate(design: Design) -> str:
    """The pass that reads a design: every flow begins with it."""
    return read(design.top, design.parameters, design.sources)


def run(passes: Sequence[str], folder: Path, design: Design) -> None:
    """Run yosys passes on a design in `folder`.

    Raises ToolMissing without pyosys, RtlError with yosys' words when it refuses the design.
    """
    yosys(passes, folder, f"{design.top} with {design.parameters}")


def yosys(passes: Sequence[str], folder: Path, what: str) -> str:
    """Run yosys passes in `folder` and return the log; in a process of their own, as yosys ends it on an error.

    Raises ToolMissing without pyosys, RtlError that names `what` with yosys' words when a pass fails.
    """
    version()
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM],
        input="\n".join(passes),
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    log = done.stdout + done.stderr
    (folder / "yosys.log").write_text(log, "utf-8")
    if done.returncode:
        said = [line for line in log.splitlines() if "error:" in line.lower()]
        raise RtlError(
            f"yosys refused {what}:\n" + "\n".join(said[:8] or log.splitlines()[-8:]),
            "correct the parameter or the source that the message names",
        )
    return log
