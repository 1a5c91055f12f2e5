"""Record what happens inside the multiplier, cycle by cycle: a Verilator simulation that writes a waveform (VCD).

Slower to build and to run than `simulate.Sweep`, and meant for tens of cycles that somebody wants to look at.
"""

from __future__ import annotations

import importlib.metadata
import json
import platform
import signal
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from triptych import paths
from triptych.bitsys import builds, replay, simulate, tools
from triptych.bitsys.design import Design
from triptych.bitsys.model import Bools, Ints
from triptych.bitsys.tools import RtlError
from triptych.bitsys.vectors import Stimulus, idle, join


@dataclass(frozen=True)
class Waveform:
    """What was seen just before each rising edge; arrays of T elements, one a cycle, first axis always time.

    `stimulus` holds the inputs. `valid`, `mode`, `a_signed`, `b_signed`, `product` are the outputs. Of the inside:
    `width` (T, 2N) is the width of the valid token on anti-diagonal d, 0 where there is none; `partial` (T, N, N) is
    what cell (i, j) gives.
    """

    design: Design
    stimulus: Stimulus
    valid: Bools
    mode: Ints
    a_signed: Bools
    b_signed: Bools
    product: Ints
    width: Ints
    partial: Bools

    def __len__(self) -> int:
        return len(self.valid)


def record(design: Design, stimulus: Stimulus) -> Waveform:
    """Run the stimulus, followed by as many idle cycles as its last token needs, and return what was seen.

    Two cycles of reset come first and are left out. Raises what `simulate.build` and `simulate.run` raise, ValueError
    for a design other than the multiplier, and RtlError when the waveform lacks a signal.
    """
    if design.top != "bitsys_mul":
        raise ValueError(f"only the multiplier is recorded, not {design.top}")
    seen = join([stimulus, idle(design.latency + 1)])
    reset = replace(idle(_RESET), rst_n=np.zeros(_RESET, np.bool_))
    driven = join([reset, seen])
    ports = {
        "rst_ni": driven.rst_n,
        "valid_i": driven.valid,
        "last_i": driven.last,
        "mode_i": driven.mode,
        "a_signed_i": driven.a_signed,
        "b_signed_i": driven.b_signed,
        "a_i": driven.a,
        "b_i": driven.b,
    }
    with tempfile.TemporaryDirectory(prefix="triptych-wave-") as name:
        scratch = Path(name)
        (scratch / "rows.json").write_text(json.dumps({port: list(map(int, rows)) for port, rows in ports.items()}))
        env = {"TRIPTYCH_REPLAY": str(scratch / "rows.json")}
        simulate.run(_build(design), design.top, replay.__name__, scratch, plusargs=["--trace"], env=env)
        wave = _read(scratch / "dump.vcd", design.top, len(driven))
    n = design.n
    widths = np.array(design.widths)
    narrow = _bits(wave, "narrow_d", 2 * n * len(widths)).reshape(-1, 2 * n, len(widths))
    occupied = _bits(wave, "u_tag.valid_q", design.latency)[:, : 2 * n]
    return Waveform(
        design=design,
        stimulus=seen,
        valid=_bits(wave, "valid_o", 1)[:, 0],
        mode=_number(wave, "mode_o"),
        a_signed=_bits(wave, "a_signed_o", 1)[:, 0],
        b_signed=_bits(wave, "b_signed_o", 1)[:, 0],
        product=_number(wave, "product_o"),
        width=np.where(occupied, widths[len(widths) - 1 - narrow.sum(axis=2)], 0),
        partial=_bits(wave, "pp", n * n).reshape(-1, n, n),
    )


_RESET = 2

_Wave = Mapping[str, list[str]]


def _build(design: Design) -> Path:
    """The multiplier alone, its ports open to cocotb, compiled to write waveforms."""
    rtl = paths.rtl()
    sources = [*design.sources, rtl / "lint" / "verilator.vlt", rtl / "sim" / "ports.vlt"]
    facts = {
        "top": design.top,
        "parameters": design.parameters,
        "waves": True,
        "tools": [tools.verilator().version_text, importlib.metadata.version("cocotb"), platform.machine()],
        "environment": sys.prefix,  # the simulator is linked to cocotb's libraries by path
    }

    def make(folder: Path) -> None:
        try:
            simulate.Runner().build(
                sources=sources,
                hdl_toplevel=design.top,
                parameters=design.parameters,
                build_args=["--no-assert", "-CFLAGS", "-O1"],
                build_dir=folder,
                log_file=folder / "build.log",
                timescale=("1ns", "1ps"),
                waves=True,
            )
        except RuntimeError:
            said = (folder / "build.log").read_text("utf-8", errors="replace").splitlines()
            words = [line for line in said if line.startswith("%") or "error:" in line] or said
            raise RtlError(
                f"{design.top} with {design.parameters} does not build:\n" + "\n".join(words[-8:]),
                "correct the source that the message names",
            ) from None

    return builds.once("verilator", builds.key(sources, facts), make)


def _read(path: Path, top: str, cycles: int) -> _Wave:
    """The signals of the top module as strings of bits, sampled just before each edge after the reset."""
    before = signal.getsignal(signal.SIGPIPE)
    from vcdvcd import VCDVCD  # changes how this process takes a broken pipe, as a script would want it

    signal.signal(signal.SIGPIPE, before)
    dump = VCDVCD(str(path))
    per_ns = round(1e-9 / float(dump.timescale["timescale"]))
    samples = [(replay.PERIOD // 2 + replay.PERIOD * t) * per_ns - 1 for t in range(_RESET, cycles)]
    found: dict[str, list[str]] = {}
    for name in dump.signals:
        scope, _, rest = name.partition(".")
        if scope != top:
            continue
        one: Any = dump[name]
        found[rest.partition("[")[0]] = [one[at].rjust(int(one.size), "0") for at in samples]
    return found


def _bits(wave: _Wave, name: str, count: int) -> Bools:
    """A signal as bits, least significant first; shape (T, count)."""
    if name not in wave or len(wave[name][0]) != count:
        raise RtlError(f"the waveform has no signal {name} of {count} bits", "correct waveform.py to follow the RTL")
    return np.array([[bit == "1" for bit in reversed(value)] for value in wave[name]], np.bool_)


def _number(wave: _Wave, name: str) -> Ints:
    if name not in wave:
        raise RtlError(f"the waveform has no signal {name}", "correct waveform.py to follow the RTL")
    return np.array([int(value, 2) for value in wave[name]], np.int64)
