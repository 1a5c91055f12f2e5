"""How much of a design switches per operation: net toggles at gate level, counted by Verilator (SAIF).

What is simulated is the ECP5 netlist that `place` places, one wire a net (`Netlist.verilog`), so every net counts
once, whatever the hierarchy or the names in the RTL, and all designs are counted alike. Random operands enter at full
speed in one mode; counting starts when the pipeline is full. Every answer of the netlist is compared with the model.

A relative figure, never watts. Delays are zero, so glitches are not seen; a net counts the same whether short or long;
delay lines are flip-flops, as the family has no shift-register LUTs; inputs and the clock are not counted, as they are
the same for all. SAIF counts a net that is high when counting starts as one toggle, hence up to one too many a net.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import platform
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pydantic import BaseModel, TypeAdapter

from triptych import paths
from triptych.bitsys import builds, model, netlist, synthesise, tools
from triptych.bitsys.design import Design
from triptych.bitsys.model import Ints
from triptych.bitsys.netlist import Netlist
from triptych.bitsys.tools import RtlError

MOST_CYCLES = 1 << 16
"""Room in the harness."""

DOT_PRODUCT = 64
"""Tokens of a dot product, for the multiply-accumulate units."""

HARNESS = "netlist_toggles"

_RESET = 4
_WARM = 64


class Activity(BaseModel):
    """Toggles of one netlist in one mode.

    `registers` and `gates` are toggles, over all tokens, of the nets that flip-flops and other cells drive, `nets` how
    many nets that are. `macs` is useful multiplications a token, `cycles` the clock cycles counted.
    """

    netlist: str
    width: int
    a_signed: bool
    b_signed: bool
    tokens: int
    cycles: int
    seed: int
    macs: int
    nets: int
    registers: int
    gates: int
    tools: dict[str, str]

    @property
    def per_token(self) -> float:
        """Net toggles a token."""
        return (self.registers + self.gates) / self.tokens

    @property
    def per_mac(self) -> float:
        """Net toggles a useful multiplication."""
        return self.per_token / self.macs


def toggles(
    design: Design, width: int, signs: tuple[bool, bool] = (True, True), tokens: int = 2048, seed: int = 0
) -> Activity:
    """Simulate random tokens of one width and pair of signs (a, b), at full speed, and sum what toggles.

    Raises what `count` raises.
    """
    counts = count(design, width, signs, tokens, seed)
    made = netlist.of(design)
    driven = {"registers": list[int](), "gates": list[int]()}
    for cell in made.module.cells.values():
        kind = "registers" if cell.type == "TRELLIS_FF" else "gates"
        outputs = [pin for pin, direction in cell.port_directions.items() if direction == "output"]
        driven[kind] += [bit for pin in outputs for bit in cell.connections[pin] if isinstance(bit, int)]
    return Activity(
        netlist=made.digest,
        width=width,
        a_signed=signs[0],
        b_signed=signs[1],
        tokens=tokens,
        cycles=tokens * design.interval(width),
        seed=seed,
        macs=design.channels(width),
        nets=sum(len(nets) for nets in driven.values()),
        registers=sum(counts[net] for net in driven["registers"]),
        gates=sum(counts[net] for net in driven["gates"]),
        tools={"pyosys": synthesise.version(), "verilator": tools.verilator().version_text},
    )


def count(design: Design, width: int, signs: tuple[bool, bool], tokens: int, seed: int) -> dict[int, int]:
    """Toggles of every net of the design's netlist, by its number, inputs and the clock included.

    A design with one channel gets its operands in the low bits and zeros above. Kept in the cache by the netlist's
    digest, the harness and what is fed to it. Raises ToolMissing without pyosys or Verilator, ValueError for a width
    that is not listed or too many tokens, RtlError when a tool fails or the netlist computes something wrong.
    """
    if width not in design.widths:
        raise ValueError(f"width {width} is not one of {design.widths}")
    vectors, expected = stimulus(design, width, signs, tokens, seed)
    if len(vectors) > MOST_CYCLES:
        raise ValueError(f"{tokens} tokens need {len(vectors)} cycles; one run has room for {MOST_CYCLES}")
    program = _simulator(design, netlist.of(design))
    facts = {
        "simulator": program.parent.name,
        "vectors": hashlib.sha256(np.array(vectors, np.int64).tobytes()).hexdigest(),
        "tokens": tokens,
    }

    def make(folder: Path) -> None:
        start = len(vectors) - tokens * design.interval(width)
        (folder / "vectors.hex").write_text("\n".join(f"{word:010x}" for word in vectors), "ascii")
        plusargs = [f"+count={len(vectors)}", f"+start={start}", "+vectors=vectors.hex", "+results=results.hex"]
        done = subprocess.run([program, *plusargs], cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode or not (folder / "results.hex").exists():
            raise RtlError(f"the simulation of {design.top}'s netlist failed:\n{(done.stdout + done.stderr)[-1500:]}")
        answers = [int(line, 16) for line in (folder / "results.hex").read_text("ascii").split()]
        compare(design, width, answers, expected)
        counts = read((folder / "toggles.saif").read_text("ascii"))
        for scrap in ("vectors.hex", "results.hex", "toggles.saif"):
            (folder / scrap).unlink()
        (folder / "counts.json").write_text(json.dumps(counts), "utf-8")

    folder = builds.once("activity", builds.key([], facts), make)
    return _Counts.validate_json((folder / "counts.json").read_bytes())


_Counts = TypeAdapter(dict[int, int])


def _simulator(design: Design, made: Netlist) -> Path:
    """The compiled harness with this netlist, made when it is not in the cache."""
    harness = paths.rtl() / "sim" / f"{HARNESS}.sv"
    mode_bits = max(1, (len(design.widths) - 1).bit_length())
    parameters = {
        "N": design.n,
        "ModeW": mode_bits,
        "AccWidth": design.acc_width,
        "Mac": int(design.unit == "mac"),
        "Depth": MOST_CYCLES,
    }
    facts = {
        "netlist": made.digest,
        "parameters": parameters,
        "tools": [tools.verilator().version_text, synthesise.version(), platform.machine()],
    }

    def make(folder: Path) -> None:
        (folder / "netlist.v").write_text(made.verilog("netlist"), "utf-8")
        # Wires inside the cells are no nets.
        (folder / "quiet.vlt").write_text(
            "`verilator_config\n"
            + "".join(f'tracing_off -file "*{name}"\n' for name in ("cells_sim.v", "common_sim.vh", "ccu2c_sim.vh")),
            "utf-8",
        )
        cells = _cell_models()
        words = ["--binary", "--timing", "--trace-saif", "-O3", "-Wno-fatal", "-Wno-lint", "-DNO_INCLUDES"]
        words += [f"-I{cells.parent}", "--top-module", HARNESS, "--Mdir", "build", "--build-jobs", "1"]
        words += [f"-G{name}={value}" for name, value in parameters.items()]
        done = subprocess.run(
            [tools.verilator().folder / "verilator", *words, "quiet.vlt", harness, "netlist.v", cells],
            cwd=folder,
            env=tools.verilator().settings(),
            capture_output=True,
            text=True,
            check=False,
        )
        log = done.stdout + done.stderr
        (folder / "build.log").write_text(log, "utf-8")
        if done.returncode:
            said = [line for line in log.splitlines() if line.startswith("%Error") or "error:" in line]
            raise RtlError(f"the netlist of {design.top} does not build:\n" + "\n".join((said or [log])[:8]))
        (folder / "build" / f"V{HARNESS}").rename(folder / HARNESS)
        for scrap in (folder / "build").iterdir():
            scrap.unlink()
        (folder / "build").rmdir()

    return builds.once("gates", builds.key([harness], facts), make) / HARNESS


def _cell_models() -> Path:
    """The simulation models of the ECP5's cells, which come with pyosys."""
    spec = importlib.util.find_spec("pyosys")
    assert spec is not None and spec.origin is not None, "synthesise.version() would have raised"
    return Path(spec.origin).parent / "share" / "ecp5" / "cells_sim.v"


def stimulus(
    design: Design, width: int, signs: tuple[bool, bool], tokens: int, seed: int
) -> tuple[list[int], list[int]]:
    """What goes in, a word a cycle (`vector_t` of the harness), and the answers that must come, in order.

    Reset, tokens until the pipeline is full, then the tokens that count, each held for the design's interval.
    """
    interval = design.interval(width)
    count = _WARM + -(-design.latency_at(width) // interval) + tokens
    one_channel = design.channels(width) == 1
    container = width if one_channel else design.n
    a, b = np.random.default_rng(seed).integers(0, 1 << container, (2, count))
    combination = next(c for c in model.combinations([width]) if (c.width, c.a_signed, c.b_signed) == (width, *signs))
    last = np.arange(count) % DOT_PRODUCT == DOT_PRODUCT - 1
    tag = design.widths.index(width) << 32 | int(signs[1]) << 35 | int(signs[0]) << 36
    words = tag | 1 << 39 | 1 << 38 | last.astype(np.int64) << 37 | a << 16 | b
    held = np.repeat(words, interval)
    held[np.arange(len(held)) % interval != 0] &= ~(1 << 38)  # valid in the first of its cycles only
    return [0] * _RESET + held.tolist(), _expected(design, container, combination, a, b).tolist()


def _expected(design: Design, container: int, combination: model.Combination, a: Ints, b: Ints) -> Ints:
    """By the model: every token's products, or every complete dot product's sum."""
    if design.unit == "mul":
        return model.products(a, b, container, combination)
    values = model.values(a, b, container, combination)
    whole = len(values) // DOT_PRODUCT * DOT_PRODUCT
    return values[:whole].reshape(-1, DOT_PRODUCT).sum(axis=1) & ((1 << min(design.acc_width, 62)) - 1)


def compare(design: Design, width: int, answers: Sequence[int], expected: Sequence[int]) -> None:
    """Raise RtlError unless the valid answers are the expected ones, up to those still in the pipeline at the end.

    `answers` holds a word a cycle: 64 bits of product or sum, and above them whether it is valid.
    """
    valid = [word & ((1 << 64) - 1) for word in answers if word >> 64 & 1]
    underway = -(-design.latency_at(width) // design.interval(width)) + 1
    if valid != expected[: len(valid)] or len(valid) < len(expected) - underway:
        pairs = enumerate(zip(valid, expected, strict=False))
        wrong = next((k for k, (got, due) in pairs if got != due), min(len(valid), len(expected)))
        raise RtlError(
            f"the netlist of {design.top} at width {width} gave {len(valid)} answers of {len(expected)}, "
            f"right up to number {wrong}",
            "the RTL, yosys or the models of the cells are wrong: simulate the RTL first",
        )


_NET = re.compile(r"\(n(\d+) .*\(TC (\d+)\)\)")


def read(saif: str) -> dict[int, int]:
    """Toggles of each net, by its number, in what Verilator wrote (IEEE 1801 SAIF, one net a line).

    Raises RtlError when the file holds no net, or one net twice.
    """
    found = [(int(net), int(count)) for net, count in _NET.findall(saif)]
    counts = dict(found)
    if not found or len(counts) != len(found):
        raise RtlError(f"{len(found)} nets in the SAIF file, {len(counts)} different ones")
    return counts
