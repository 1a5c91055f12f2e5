"""Run the RTL: Verilator compiles it once, cocotb drives the clock, numpy arrays go in and come out.

The harness rtl/sim/bitsys_sweep.sv reads one vector a cycle from a file and writes one result a cycle to another, so no
Python runs per cycle: that is what makes an exhaustive check take seconds. It holds every design of a container width,
so that one compilation serves them all.
"""

from __future__ import annotations

import importlib.metadata
import platform
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from cocotb_tools.check_results import get_results
from cocotb_tools.runner import Verilator as CocotbVerilator

from triptych import paths
from triptych.bitsys import builds, clock, tools
from triptych.bitsys.design import KINDS, Design, needed
from triptych.bitsys.tools import RtlError
from triptych.bitsys.vectors import Response, Stimulus, idle, join, survives

MOST_CYCLES = 1 << 21
"""Rows of a stimulus that the harness has room for; longer ones are run in pieces by the caller."""

HARNESS = "bitsys_sweep"

FAST = ("-O3", "--x-assign", "fast", "--x-initial", "fast", "--no-assert", "-CFLAGS", "-O2")
CHECKED = ("-O3", "--assert", "--x-assign", "unique", "--x-initial", "unique", "-CFLAGS", "-O1")


class Runner(CocotbVerilator):
    """cocotb's runner with our Verilator, and without `--public-flat-rw`: that flag costs up to a factor of ten.

    A .vlt file among the sources says which signals Python may see.
    """

    def _simulator_in_path_build_only(self) -> None:
        self.executable = str(tools.verilator().folder / "verilator")

    def _set_env_build(self) -> None:
        super()._set_env_build()
        self.env.update(tools.verilator().settings())

    def _build_command(self) -> list[Any]:
        commands = super()._build_command()
        commands[0].remove("--public-flat-rw")
        return commands


def build(top: str, sources: Sequence[Path], parameters: Mapping[str, int], *options: str) -> Path:
    """The folder that holds the compiled simulator, made when no equal one is in the cache.

    Raises ToolMissing without a Verilator or compiler, and RtlError with Verilator's words when it refuses the sources
    (an illegal parameter is refused here, with its value).
    """
    facts = {
        "top": top,
        "parameters": dict(parameters),
        "options": options,
        "tools": [tools.verilator().version_text, importlib.metadata.version("cocotb"), platform.machine()],
        "environment": sys.prefix,  # the simulator is linked to cocotb's libraries by path
    }

    def make(folder: Path) -> None:
        log = folder / "build.log"
        try:
            Runner().build(
                sources=list(sources),
                hdl_toplevel=top,
                parameters=parameters,
                build_args=[*options],
                build_dir=folder,
                log_file=log,
                timescale=("1ns", "1ps"),
            )
        except RuntimeError:
            said = [
                line
                for line in log.read_text("utf-8", errors="replace").splitlines()
                if line.startswith("%") or "error:" in line
            ]
            raise RtlError(
                f"{top} with {dict(parameters)} does not build:\n" + "\n".join(said[:8] or ["(nothing said)"]),
                "correct the parameter or the source that the message names",
            ) from None
        for scrap in [*folder.glob("*.o"), *folder.glob("*.a"), *folder.glob("*.gch")]:
            scrap.unlink()  # only the program is needed, and these are most of the bytes

    return builds.once("verilator", builds.key(sources, facts), make)


def run(
    folder: Path,
    top: str,
    module: str,
    scratch: Path,
    *,
    plusargs: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
) -> None:
    """Run the cocotb tests of a Python module on a built simulator, in the folder `scratch`.

    Raises RtlError with the end of the simulator's output when it does not end well or a test fails.
    """
    runner = Runner()
    log = scratch / "simulation.log"
    results = scratch / "results.xml"
    try:
        runner.test(
            test_module=module,
            hdl_toplevel=top,
            hdl_toplevel_lang="verilog",
            build_dir=folder,
            test_dir=scratch,
            results_xml=str(results),
            plusargs=list(plusargs),
            extra_env={"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", **(env or {})},  # cocotb loads pytest: seconds of plugins
            log_file=log,
        )
        count, failed = get_results(results)
    except (RuntimeError, SystemExit):
        count, failed = 0, 1
    if failed or not count:
        said = log.read_text("utf-8", errors="replace").splitlines() if log.exists() else ["(no output)"]
        raise RtlError(f"the simulation of {top} failed:\n" + "\n".join(said[-30:]), f"tests of {module}")


@dataclass(frozen=True)
class Sweep:
    """A compiled design, ready to answer stimuli."""

    design: Design
    folder: Path

    @classmethod
    def of(cls, design: Design) -> Sweep:
        """Compile the harness with every design of this container, widths and accumulator, or find it compiled.

        A changed copy of the RTL, or cells of primitives, are compiled alone. Raises what `build` raises, and
        ValueError for an accumulator of more than 32 bits, which is what the harness writes.
        """
        if design.rtl is not None or design.primitive:
            return cls.alone(design)
        return cls._of(design, (1 << 2 * len(KINDS)) - 1, FAST)

    @classmethod
    def alone(cls, design: Design, options: Sequence[str] = FAST) -> Sweep:
        """As `of`, with nothing but the design itself in the simulator: quicker to compile, of use to itself only."""
        return cls._of(design, 1 << _number(design), options)

    @classmethod
    def _of(cls, design: Design, designs: int, options: Sequence[str]) -> Sweep:
        if design.unit == "mac" and design.acc_width > 32:
            raise ValueError(f"the harness writes 32 bits of a sum, not {design.acc_width}")
        rtl = paths.rtl()
        sources = needed(HARNESS, [design.rtl or rtl / "bitsys", rtl / "baselines", rtl / "sim"])
        waivers = [rtl / "sim" / "sweep.vlt", rtl / "lint" / "verilator.vlt"]
        acc_width = design.acc_width if design.unit == "mac" else 32  # the usual one: units share the simulator
        parameters = {**design.parameters, "AccWidth": acc_width, "Designs": designs, "Depth": MOST_CYCLES}
        return cls(design, build(HARNESS, [*sources, *waivers], parameters, *options))

    def answer(self, stimulus: Stimulus) -> Response:
        """The outputs for a stimulus of up to MOST_CYCLES - latency rows, aligned with it row by row.

        Raises ValueError for a stimulus that is too long, RtlError when the simulation fails or when a design that lets
        tokens wait answers in a cycle in which none is due (of the others that is an answer to an idle row).
        """
        design, rows = self.design, len(stimulus)
        count = rows + design.latency
        if count > MOST_CYCLES:
            raise ValueError(f"{rows} cycles; one run has room for {MOST_CYCLES - design.latency}")
        with tempfile.TemporaryDirectory(prefix="triptych-sweep-") as name:
            scratch = Path(name)
            (scratch / "vectors.hex").write_bytes(_lines(_vector_words(join([stimulus, idle(design.latency)]))))
            plusargs = [f"+design={_number(design)}", f"+count={count}", "+vectors=vectors.hex", "+results=results.hex"]
            most = count * max(design.interval(width) for width in design.widths)
            env = {"TRIPTYCH_SWEEP_CYCLES": str(most)}
            run(self.folder, HARNESS, clock.__name__, scratch, plusargs=plusargs, env=env)
            words = _words((scratch / "results.hex").read_bytes())
        entered = np.flatnonzero(_flag(words, 39))
        if len(entered) != count:
            raise RtlError(f"the harness took {len(entered)} of {count} vectors")
        return _response(design, stimulus, words, entered[:rows])


def _number(design: Design) -> int:
    """The design's number in the harness."""
    return KINDS.index(design.kind) + (len(KINDS) if design.unit == "mac" else 0)


def _vector_words(stimulus: Stimulus) -> npt.NDArray[np.uint64]:
    """The fields of `vector_t` in the harness: 40 bits a row."""
    word = np.zeros(len(stimulus), np.uint64)
    fields = [
        (stimulus.rst_n, 1),
        (stimulus.valid, 1),
        (stimulus.last, 1),
        (stimulus.a_signed, 1),
        (stimulus.b_signed, 1),
        (stimulus.mode, 3),
        (stimulus.a, 16),
        (stimulus.b, 16),
    ]
    for values, bits in fields:
        word = (word << np.uint64(bits)) | values.astype(np.uint64)
    return word


def _flag(words: npt.NDArray[np.uint64], bit: int) -> npt.NDArray[np.bool_]:
    return ((words >> np.uint64(bit)) & np.uint64(1)).astype(np.bool_)


def _response(
    design: Design, stimulus: Stimulus, words: npt.NDArray[np.uint64], entered: npt.NDArray[np.int64]
) -> Response:
    """The fields of `result_t` in the harness, of the cycle in which each row is due.

    `words` are those of every cycle; row t was taken in cycle `entered[t]`.
    """
    latency: int | npt.NDArray[np.int64] = design.latency
    waits = any(design.interval(width) > 1 for width in design.widths)
    if waits:
        modes = np.minimum(stimulus.mode, len(design.widths) - 1)
        latency = np.array([design.latency_at(width) for width in design.widths])[modes]
    due = entered + latency
    valid = _flag(words[due], 38)
    if waits:
        # Latencies differ, so another token may be due in the cycle of an idle row, or of a token that reset killed.
        answered = survives(stimulus, latency, entered)
        valid &= answered
        spurious = np.setdiff1d(np.flatnonzero(_flag(words, 38)), due[answered])
        if len(spurious):
            raise RtlError(f"{design.top} answered in {len(spurious)} cycles in which nothing was due")
    words = words[due]
    return Response(
        valid=valid,
        last=_flag(words, 37),
        a_signed=_flag(words, 36),
        b_signed=_flag(words, 35),
        mode=((words >> np.uint64(32)) & np.uint64(7)).astype(np.int64),
        product=(words & np.uint64(0xFFFFFFFF)).astype(np.int64),
        latency=latency,
        entered=entered if waits else None,
    )


_DIGITS = 10
_HEX = np.frombuffer(b"0123456789abcdef", np.uint8)
_VALUE = np.zeros(256, np.uint64)
_VALUE[_HEX] = np.arange(16)


def _lines(words: npt.NDArray[np.uint64]) -> bytes:
    """One word a line in hexadecimal, as $readmemh wants it."""
    text = np.full((len(words), _DIGITS + 1), ord("\n"), np.uint8)
    for digit in range(_DIGITS):
        text[:, _DIGITS - 1 - digit] = _HEX[(words >> np.uint64(4 * digit)) & np.uint64(15)]
    return text.tobytes()


def _words(text: bytes) -> npt.NDArray[np.uint64]:
    """What `_lines` wrote, and what $writememh writes: words of ten digits, one a line."""
    rows = np.frombuffer(text, np.uint8)
    if len(rows) % (_DIGITS + 1):
        raise RtlError(f"the results file is cut short or malformed ({len(rows)} bytes)")
    values = _VALUE[rows.reshape(-1, _DIGITS + 1)[:, :_DIGITS]]
    words = np.zeros(len(values), np.uint64)
    for digit in range(_DIGITS):
        words = (words << np.uint64(4)) | values[:, digit]
    return words
