"""Run a program on the RTL of a machine, compiled by Verilator: images in, sums and counters of every layer out.

The clock is driven in C++ (rtl/sim/accelerator_main.cpp), files go in and come out, so that no Python runs per cycle
and a run starts in milliseconds. Simulators are kept by content.

Units of a machine are simulated in one of two ways. `rtl`: Verilator compiles everything. `gates`: everything around
the multiply-accumulate units is the RTL in Verilator, they themselves are computed all at once from the gates that
yosys makes of theirs (`lanes`). For large arrays that is many times faster, to compile as well; tests hold both to the
same sums, counters and cycles.
"""

from __future__ import annotations

import platform
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from triptych import paths
from triptych.bitsys import builds, synthesise, tools
from triptych.bitsys.accelerator import lanes
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

Units = Literal["rtl", "gates"]
"""How the multiply-accumulate units are simulated."""


@dataclass(frozen=True)
class Outcome:
    """What came out. `sums`: (images, height, width, channels) of the last layer; `counters`: a list for each batch of
    those of each layer; `elapsed`: cycles from start to end of each batch, by the harness's own count; `names` of the
    layers.
    """

    sums: Ints
    counters: list[list[Cycles]]
    elapsed: list[int]
    names: tuple[str, ...]

    @property
    def cycles(self) -> int:
        """Cycles of all batches; writing their activations into the memory is not in it."""
        return sum(one.total for batch in self.counters for one in batch)


def build(machine: Machine, options: Sequence[str] = FAST, units: Units = "rtl") -> Path:
    """The program that simulates a machine, compiled when no equal one is in the cache (a minute for 4 × 4, more for
    larger ones; half a minute for any size where the units are gates).

    Raises ToolMissing without a Verilator or compiler (or pyosys, for gates), RtlError with its words when it refuses
    the sources.
    """
    rtl = paths.rtl()
    folders = [rtl / "bitsys", rtl / "baselines", rtl / "accelerators", rtl / "sim"]
    programs = [rtl / "sim" / "accelerator_main.cpp"]
    versions = [platform.machine()]
    files: list[Path] = []
    if units == "gates":
        folders.append(rtl / "sim" / "lanes")
        programs.append(rtl / "sim" / "lanes" / "lanes.cpp")
        files += [*lanes.sources(), Path(lanes.__file__)]
        versions.append(synthesise.version())
    sources = [rtl / "lint" / "verilator.vlt", *needed(HARNESS, folders)]
    found = tools.verilator()
    facts = {
        "parameters": parameters(machine),
        "options": options,
        "units": units,
        "tools": [found.version_text, *versions],
    }

    def make(folder: Path) -> None:
        settings = [f"-G{name}={value}" for name, value in parameters(machine).items()]
        command = [found.folder / "verilator", "--cc", "--exe", "--build", "--top-module", HARNESS, "--Mdir", folder]
        command += ["-j", "2", "-Wno-fatal", "-o", HARNESS, *options, *settings, *sources, *programs]
        if units == "gates":
            (folder / "lanes_unit.h").write_text(lanes.header(machine), "utf-8")
            command += ["-CFLAGS", f"-I{folder}"]
        done = subprocess.run(command, env=found.settings(), capture_output=True, text=True, check=False)
        if done.returncode or not (folder / HARNESS).exists():
            said = [line for line in done.stderr.splitlines() if line.startswith("%Error") or "error:" in line]
            raise RtlError(f"{machine.label} does not build:\n" + "\n".join(said[:8] or done.stderr.splitlines()[-8:]))
        for scrap in folder.iterdir():
            if scrap.name != HARNESS:
                scrap.unlink()

    return builds.once("accelerator", builds.key([*files, *sources, *programs], facts), make) / HARNESS


def parameters(machine: Machine) -> dict[str, int]:
    """The machine's parameters as the RTL takes them."""
    return {
        "Systolic": int(machine.dataflow == "systolic"),
        "Kind": KINDS.index(machine.kind),
        "N": machine.n,
        "Widths": sum(1 << width for width in machine.widths),
        "AccWidth": machine.acc_width,
        "Rows": machine.rows,
        "Bands": machine.bands,
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
    units: Units = "rtl",
) -> Outcome:
    """Run images (n, height, width, channels) through a machine, batch by batch.

    In `idle_percent` of the cycles in which it could offer a word of weights, the source offers none. `beats`: the
    stream ends after so many words, for tests. Raises ParameterError for images that do not fit, RtlError when the
    machine has not finished long after it should (the watchdog's words say where it stands).
    """
    words = None if beats is None else [beats]
    return run_bands(
        program.machine,
        [program],
        [images],
        supply,
        idle_percent=idle_percent,
        seed=seed,
        beats=words,
        options=options,
        units=units,
    )[0]


def run_bands(
    machine: Machine,
    programs: Sequence[Program],
    images: Sequence[Ints],
    supply: Supply | None = None,
    *,
    idle_percent: int = 0,
    seed: int = 1,
    beats: Sequence[int] | None = None,
    options: Sequence[str] = FAST,
    units: Units = "rtl",
) -> list[Outcome]:
    """Run a program in each band of a machine at once, each on its own images; what came out of each band.

    All bands begin a batch together, so there must be as many batches in each. Otherwise as `run`. Raises
    ParameterError, too, when the programs are not one a band, or not for this machine's bands.
    """
    with tempfile.TemporaryDirectory(prefix="triptych-accelerator-") as name:
        scratch = Path(name)
        words = prepare(machine, programs, images, scratch, supply, idle_percent=idle_percent, seed=seed, beats=beats)
        done = subprocess.run(
            [build(machine, options, units), *words], capture_output=True, text=True, check=False, cwd=scratch
        )
        if done.returncode:
            said = [line for line in (done.stdout + done.stderr).splitlines() if HARNESS in line or "rror" in line]
            raise RtlError(f"the simulation of {machine.label} failed:\n" + "\n".join(said[-4:]))
        return collect(machine, programs, [len(values) for values in images], scratch)


def prepare(
    machine: Machine,
    programs: Sequence[Program],
    images: Sequence[Ints],
    folder: Path,
    supply: Supply | None = None,
    *,
    idle_percent: int = 0,
    seed: int = 1,
    beats: Sequence[int] | None = None,
) -> list[str]:
    """Write what the harness reads into a folder; return the plusargs to run it with. Raises as `run_bands`."""
    supply = supply or Supply()
    if not 0 <= idle_percent < 100:
        raise ParameterError(f"idle_percent = {idle_percent} is not from 0 to 99")
    batches = _batches(machine, programs, images)
    offered = [program.beats for program in programs] if beats is None else list(beats)
    limit = 0
    for program in programs:
        predicted = sum(one.total for one in predict(machine, program.instructions, supply))
        waits = 2 * program.beats * supply.throttle * 100 // (100 - idle_percent)
        limit = max(limit, 2 * predicted + 1000 + waits)
    _write_files(programs, batches, offered, folder)
    plusargs = {
        "folder": folder,
        "batches": len(batches[0]),
        "prefetch": int(supply.prefetch),
        "throttle": supply.throttle,
        "idle": idle_percent,
        "seed": seed,
        "cycles": limit,
    }
    return [f"+{key}={value}" for key, value in plusargs.items()]


def _batches(machine: Machine, programs: Sequence[Program], images: Sequence[Ints]) -> list[list[Ints]]:
    """The lines of activations for each band and batch."""
    if not len(programs) == len(images) == machine.bands:
        raise ParameterError(
            f"{len(programs)} programs and {len(images)} arrays of images for {machine.bands} bands, not one each"
        )
    for number, program in enumerate(programs):
        if program.machine != machine.band:
            raise ParameterError(f"the program of band {number} is for {program.machine}, not for {machine.band}")
    batches = [program.pack_images(values) for program, values in zip(programs, images, strict=True)]
    if any(len(one) != len(batches[0]) for one in batches):
        raise ParameterError(f"the bands have {[len(one) for one in batches]} batches; they begin each one together")
    return batches


def collect(
    machine: Machine, programs: Sequence[Program], counts: Sequence[int], folder: Path, prefix: str = ""
) -> list[Outcome]:
    """What the harness wrote into a folder, in files of this prefix, after a run of `counts` images in each band.

    Raises RtlError when sums or counters are missing or too many.
    """
    sums = _by_band(folder / f"{prefix}sums.hex", machine.bands, 16)
    counters = _by_band(folder / f"{prefix}counters.txt", machine.bands, 10)
    lines = (folder / f"{prefix}cycles.txt").read_text("ascii").splitlines()
    taken = sorted(tuple(map(int, line.split())) for line in lines)
    batches = len(taken) // machine.bands
    return [
        Outcome(
            sums=_sums(program, sums[number], batches)[: counts[number]],
            counters=_counters(program, counters[number], batches),
            elapsed=[cycles for _, band, cycles in taken if band == number],
            names=program.names,
        )
        for number, program in enumerate(programs)
    ]


def _write_files(programs: Sequence[Program], batches: list[list[Ints]], beats: list[int], scratch: Path) -> None:
    """What the harness reads."""
    host: list[str] = []
    bands: list[str] = []
    for band, program in enumerate(programs):
        host += [
            f"{band:x} 1 {line * (NODES + 1) + node + 1:x} {_joined(program.tables[line, :, node], 32)}"
            for line in range(len(program.tables))
            for node in range(NODES)
        ]
        host += [f"{band:x} 2 {index:x} {one.encode():x}" for index, one in enumerate(program.instructions)]
        bands.append(f"{len(program.instructions)} {program.input.lines} {beats[band]}")
        lines = "\n".join(_hex_lines(batch, 1) for batch in batches[band])
        (scratch / f"images{band}.hex").write_text(lines + "\n", "ascii")
        weights = _hex_lines(program.weights, program.machine.beats_per_line)
        (scratch / f"weights{band}.hex").write_text(weights + "\n", "ascii")
    (scratch / "host.hex").write_text("\n".join(host) + "\n", "ascii")
    (scratch / "bands.txt").write_text("\n".join(bands) + "\n", "ascii")


def _by_band(path: Path, bands: int, base: int) -> list[list[list[int]]]:
    """The rows of numbers in a file for each band, whose number stands first."""
    found: list[list[list[int]]] = [[] for _ in range(bands)]
    for line in path.read_text("ascii").splitlines():
        band, *numbers = (int(word, base) for word in line.split())
        found[band].append(numbers)
    return found


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


def _sums(program: Program, rows: list[list[int]], batches: int) -> Ints:
    columns = program.machine.columns
    count = program.output_lines
    table = np.array(rows, np.int64).reshape(-1, columns + 1)
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


def _counters(program: Program, numbers: list[list[int]], batches: int) -> list[list[Cycles]]:
    rows = [Cycles(*row) for row in numbers]
    layers = len(program.instructions)
    if len(rows) != layers * batches:
        raise RtlError(f"{program.machine.label} gave counters of {len(rows)} layers, not {layers * batches}")
    return [rows[i : i + layers] for i in range(0, len(rows), layers)]
