"""Run a program on the RTL of a machine, compiled by Verilator: images in, sums and counters of every layer out.

The clock is driven in C++ (rtl/sim/accelerator_main.cpp), files go in and come out, so that no Python runs per cycle
and a run starts in milliseconds. Simulators are kept by content.
"""

from __future__ import annotations

import platform
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from triptych import paths
from triptych.bitsys import builds, tools
from triptych.bitsys.accelerator.cycles import Cycles, Supply, predict
from triptych.bitsys.accelerator.machine import Machine
from triptych.bitsys.accelerator.program import NODES, Program
from triptych.bitsys.design import KINDS, needed
from triptych.bitsys.model import Ints
from triptych.bitsys.tools import RtlError
from triptych.errors import ParameterError

HARNESS = "accelerator_bench"

FAST = ("-O3", "--x-assign", "fast", "--x-initial", "fast", "--no-assert", "-MAKEFLAGS", "OPT_FAST=-O1 OPT_SLOW=-O0")
CHECKED = (
    "-O3",
    "--x-assign",
    "unique",
    "--x-initial",
    "unique",
    "--assert",
    "-MAKEFLAGS",
    "OPT_FAST=-O1 OPT_SLOW=-O0",
)


@dataclass(frozen=True)
class Outcome:
    """What came out. `sums`: (images, height, width, channels) of the last layer; `counters`: a list for each batch of
    those of each layer; `names` of the layers.
    """

    sums: Ints
    counters: list[list[Cycles]]
    names: tuple[str, ...]

    @property
    def cycles(self) -> int:
        """Cycles of all batches; writing their activations into the memory is not in it."""
        return sum(one.total for batch in self.counters for one in batch)


def build(machine: Machine, options: Sequence[str] = FAST) -> Path:
    """The program that simulates a machine, compiled when no equal one is in the cache (a minute for 4 × 4, more for
    larger ones).

    Raises ToolMissing without a Verilator or compiler, RtlError with its words when it refuses the sources.
    """
    rtl = paths.rtl()
    sources = needed(HARNESS, [rtl / "bitsys", rtl / "baselines", rtl / "accelerators", rtl / "sim"])
    sources = [rtl / "lint" / "verilator.vlt", *sources]
    main = rtl / "sim" / "accelerator_main.cpp"
    found = tools.verilator()
    facts = {
        "parameters": parameters(machine),
        "options": options,
        "tools": [found.version_text, platform.machine()],
    }

    def make(folder: Path) -> None:
        settings = [f"-G{name}={value}" for name, value in parameters(machine).items()]
        command = [found.folder / "verilator", "--cc", "--exe", "--build", "--top-module", HARNESS, "--Mdir", folder]
        command += ["-j", "2", "-Wno-fatal", "-o", HARNESS, *options, *settings, *sources, main]
        done = subprocess.run(command, env=found.settings(), capture_output=True, text=True, check=False)
        if done.returncode or not (folder / HARNESS).exists():
            said = [line for line in done.stderr.splitlines() if line.startswith("%Error") or "error:" in line]
            raise RtlError(f"{machine.label} does not build:\n" + "\n".join(said[:8] or done.stderr.splitlines()[-8:]))
        for scrap in folder.iterdir():
            if scrap.name != HARNESS:
                scrap.unlink()

    return builds.once("accelerator", builds.key([*sources, main], facts), make) / HARNESS


def parameters(machine: Machine) -> dict[str, int]:
    """The machine's parameters as the RTL takes them."""
    return {
        "Systolic": int(machine.dataflow == "systolic"),
        "Kind": KINDS.index(machine.kind),
        "N": machine.n,
        "Widths": sum(1 << width for width in machine.widths),
        "AccWidth": machine.acc_width,
        "Rows": machine.rows,
        "Columns": machine.columns,
        "PortBits": machine.port_bits,
        "ActivationLines": machine.activation_lines,
        "WeightLines": machine.weight_lines,
        "TableLines": machine.table_lines,
        "Instructions": machine.instructions,
    }


def run(
    program: Program,
    images: Ints,
    supply: Supply | None = None,
    *,
    idle_percent: int = 0,
    seed: int = 1,
    beats: int | None = None,
    options: Sequence[str] = FAST,
) -> Outcome:
    """Run images (n, height, width, channels) through a machine, batch by batch.

    In `idle_percent` of the cycles in which it could offer a word of weights, the source offers none. `beats`: the
    stream ends after so many words, for tests. Raises ParameterError for images that do not fit, RtlError when the
    machine has not finished long after it should (the watchdog's words say where it stands).
    """
    supply = supply or Supply()
    if not 0 <= idle_percent < 100:
        raise ParameterError(f"idle_percent = {idle_percent} is not from 0 to 99")
    batches = program.pack_images(images)
    binary = build(program.machine, options)
    predicted = sum(one.total for one in predict(program.machine, program.instructions, supply))
    limit = 2 * predicted + 1000 + 2 * program.beats * supply.throttle * 100 // (100 - idle_percent)
    with tempfile.TemporaryDirectory(prefix="triptych-accelerator-") as name:
        scratch = Path(name)
        _write_files(program, batches, scratch)
        plusargs = {
            "folder": name,
            "count": len(program.instructions),
            "batches": len(batches),
            "lines": program.input.lines,
            "beats": program.beats if beats is None else beats,
            "prefetch": int(supply.prefetch),
            "throttle": supply.throttle,
            "idle": idle_percent,
            "seed": seed,
            "cycles": limit,
        }
        words = [f"+{key}={value}" for key, value in plusargs.items()]
        done = subprocess.run([binary, *words], capture_output=True, text=True, check=False, cwd=scratch)
        if done.returncode:
            said = [line for line in (done.stdout + done.stderr).splitlines() if HARNESS in line or "rror" in line]
            raise RtlError(f"the simulation of {program.machine.label} failed:\n" + "\n".join(said[-4:]))
        sums = _sums(program, (scratch / "sums.hex").read_text("ascii"), len(batches))
        counters = _counters(program, (scratch / "counters.txt").read_text("ascii"), len(batches))
    return Outcome(sums=sums[: len(images)], counters=counters, names=program.names)


def _write_files(program: Program, batches: list[Ints], scratch: Path) -> None:
    """What the harness reads."""
    host = [
        f"1 {line * (NODES + 1) + node + 1:x} {_joined(program.tables[line, :, node], 32)}"
        for line in range(len(program.tables))
        for node in range(NODES)
    ]
    host += [f"2 {index:x} {one.encode():x}" for index, one in enumerate(program.instructions)]
    (scratch / "host.hex").write_text("\n".join(host) + "\n", "ascii")
    lines = (_hex_lines(batch, 1) for batch in batches)
    (scratch / "images.hex").write_text("\n".join(lines) + "\n", "ascii")
    (scratch / "weights.hex").write_text(_hex_lines(program.weights, program.machine.beats_per_line) + "\n", "ascii")


def _joined(numbers: Ints, bits: int) -> str:
    """Numbers as one hexadecimal one, the first lowest."""
    return "".join(f"{int(number) & ((1 << bits) - 1):0{bits // 4}x}" for number in reversed(numbers))


def _hex_lines(containers: Ints, beats: int) -> str:
    """Lines of containers of 8 bits, (lines, lanes), each as `beats` words, the lowest bits first."""
    if containers.shape[1] % beats:
        bits = np.unpackbits(containers.astype(np.uint8), axis=1, bitorder="little").reshape(
            len(containers) * beats, -1
        )
        return "\n".join(f"{int(''.join(map(str, row[::-1])), 2):x}" for row in bits)
    data = containers.astype(np.uint8).reshape(len(containers) * beats, -1)[:, ::-1]
    text, digits = data.tobytes().hex(), 2 * data.shape[1]
    return "\n".join(text[i : i + digits] for i in range(0, len(text), digits))


def _sums(program: Program, text: str, batches: int) -> Ints:
    rows = text.split()
    columns = program.machine.columns
    count = program.output_lines
    table = np.array([int(word, 16) for word in rows], np.int64).reshape(-1, columns + 1)
    if len(table) != count * batches:
        raise RtlError(f"{program.machine.label} gave {len(table)} lines of sums, not {count * batches}")
    found: list[Ints] = []
    for batch in table.reshape(batches, count, columns + 1):
        order = np.argsort(batch[:, 0])
        if not np.array_equal(batch[order, 0], np.arange(count)):
            raise RtlError(f"{program.machine.label} gave a line of sums twice, or one that there is not")
        values = batch[order, 1:]
        found.append(program.unpack_sums(values - ((values >> 31) << 32)))
    return np.concatenate(found)


def _counters(program: Program, text: str, batches: int) -> list[list[Cycles]]:
    rows = [Cycles(*map(int, line.split())) for line in text.splitlines()]
    layers = len(program.instructions)
    if len(rows) != layers * batches:
        raise RtlError(f"{program.machine.label} gave counters of {len(rows)} layers, not {layers * batches}")
    return [rows[i : i + layers] for i in range(0, len(rows), layers)]
