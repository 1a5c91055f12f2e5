"""Many faulty copies of an accelerator side by side in one simulator, each with a harness and files of its own.

A copy has its own version of the faulty module and of the modules above it, the harness included, and shares the rest.
All copies run the same programs; a fault is found when sums, counters or the cycles of a batch differ from those of the
sound one, which must be the oracle's and the model's.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from accelerator_layers import draw, execute, random_network
from mutants import TOLERANT, Copy, verilator_says, with_users
from mutation import Mutant

from triptych import paths
from triptych.bitsys import tools
from triptych.bitsys.accelerator import simulate
from triptych.bitsys.accelerator.cycles import Supply, predict
from triptych.bitsys.accelerator.layers import Layer
from triptych.bitsys.accelerator.machine import Machine
from triptych.bitsys.accelerator.program import Program, assemble
from triptych.bitsys.design import needed
from triptych.bitsys.model import Ints
from triptych.bitsys.tools import RtlError

RTL = paths.rtl() / "accelerators"
SMALL = {"activation_lines": 8192, "weight_lines": 2048, "table_lines": 64, "instructions": 8}
MACHINES = (
    Machine("single_layer", "fixed", rows=1, columns=2, port_bits=4, **SMALL),
    Machine("systolic", "fixed", rows=3, columns=2, port_bits=8, **SMALL),
    Machine("systolic", "fixed", rows=4, columns=2, port_bits=16, bands=2, **SMALL),
    Machine("single_layer", "mtree", rows=2, columns=2, port_bits=32, **SMALL),
    Machine("systolic", "bitshift", rows=2, columns=2, port_bits=8, **SMALL),
)
"""The cheapest to compile first: what it finds, the others need not. One array has three rows: of two, the first is
the neighbour of either."""
OPTIONS = ("--x-assign", "fast", "--x-initial", "fast", "--no-assert", "-MAKEFLAGS", "OPT_FAST=-O0 OPT_SLOW=-O0")
OUTPUTS = ("sums.hex", "counters.txt", "cycles.txt")


@dataclass(frozen=True)
class Work:
    """What every band of a machine is given, and how its weights come."""

    networks: list[list[Layer]]
    images: list[Ints]
    programs: list[Program]
    supply: Supply
    idle_percent: int


def work(machine: Machine, count: int) -> list[Work]:
    """Random networks, two of three with convolutions; weights that wait for nothing, come slowly, come at random.

    Three rows do not go with 2 x 2 pooling: they get dense layers only.
    """
    found: list[Work] = []
    for number in range(count):
        rng = np.random.default_rng((7, number))
        networks, images, programs = list[list[Layer]](), list[Ints](), list[Program]()
        for _ in range(machine.bands):
            layers, some = random_network(rng, convolutions=0 if machine.rows == 3 else number % 3)
            networks.append(layers)
            images.append(draw(rng, (4, *some.shape[1:]), layers[0].width, layers[0].activation))
            programs.append(assemble(machine, layers, some.shape[1:3], 2))
        supply = Supply((1, 3, 1)[number % 3], prefetch=number % 2 == 1)
        found.append(Work(networks, images, programs, supply, (0, 0, 40)[number % 3]))
    return found


def found_by(machine: Machine, copies: Sequence[Copy], works: Sequence[Work]) -> list[str]:
    """For each copy what finds it, "" when nothing does: `stillborn`, `elaboration` (Verilator refuses it, or one of
    its own checks does), `sums`, `counters` or `cycles` (the first file that differs), `no end` (a loop of gates).

    Raises RtlError when the sound copy is wrong.
    """
    fate = dict(refused(machine, copies))
    alive = [number for number in range(len(copies)) if number not in fate]
    fate |= {alive[place]: said for place, said in _simulated(machine, [copies[n] for n in alive], works).items()}
    return [fate.get(number, "") for number in range(len(copies))]


def refused(machine: Machine, copies: Sequence[Copy]) -> dict[int, str]:
    """Copies that do not elaborate, by number; what is refused is taken out until the rest is accepted."""
    found: dict[int, str] = {}
    while len(found) < len(copies):
        left = [number for number in range(len(copies)) if number not in found]
        with tempfile.TemporaryDirectory(prefix="triptych-mutants-") as name:
            said = verilator_says("mutants", {}, plant(machine, [copies[number] for number in left], Path(name)))
        if not said:
            break
        fresh: dict[int, str] = {}
        for line in said.splitlines():
            if line.startswith("%Error") and (place := re.search(r"/m(\d+)_\w+\.sv", line)):
                fresh.setdefault(left[int(place[1])], "elaboration" if "USERERROR" in line else "stillborn")
        if not fresh and len(left) == 1:
            return found | {left[0]: "stillborn"}
        if not fresh:  # an error without a place, or no end: look at each half
            half = len(left) // 2
            for part in (left[:half], left[half:]):
                fresh |= {part[k]: words for k, words in refused(machine, [copies[n] for n in part]).items()}
            return found | fresh
        found |= fresh
    return found


def _simulated(machine: Machine, copies: Sequence[Copy], works: Sequence[Work]) -> dict[int, str]:
    """What finds each copy in simulation. A copy whose gates form a loop stops all: then each half is run apart."""
    if not copies:
        return {}
    found: dict[int, str] = {}
    with tempfile.TemporaryDirectory(prefix="triptych-mutants-") as name:
        folder = Path(name)
        binary = compiled(plant(machine, copies, folder), folder / "build")
        for number, one in enumerate(works):
            scratch = folder / f"work{number}"
            scratch.mkdir()
            words = simulate.prepare(
                machine, one.programs, one.images, scratch, one.supply, idle_percent=one.idle_percent
            )
            done = subprocess.run([binary, *words], capture_output=True, text=True, check=False, cwd=scratch)
            if done.returncode:
                if len(copies) == 1:
                    return {0: "no end"}
                half = len(copies) // 2
                found = _simulated(machine, copies[:half], works)
                rest = _simulated(machine, copies[half:], works)
                return found | {half + place: said for place, said in rest.items()}
            _judge_sound(machine, one, scratch)
            for place in range(len(copies)):
                for output in OUTPUTS:
                    if (scratch / f"m{place}_{output}").read_bytes() != (scratch / output).read_bytes():
                        found.setdefault(place, output.split(".")[0])
    return found


def _judge_sound(machine: Machine, one: Work, scratch: Path) -> None:
    outcomes = simulate.collect(machine, one.programs, [len(values) for values in one.images], scratch)
    for layers, values, program, outcome in zip(one.networks, one.images, one.programs, outcomes, strict=True):
        model = [predict(machine, program.instructions, one.supply)] * len(outcome.counters)
        right = np.array_equal(outcome.sums, execute(layers, values))
        if not right or (not one.idle_percent and outcome.counters != model):
            raise RtlError(f"the sound {machine.label} is wrong")


def plant(machine: Machine, copies: Sequence[Copy], folder: Path) -> list[Path]:
    """Write the copies, their harnesses and what holds them all; the sources in order."""
    rtl = paths.rtl()
    sources = needed(simulate.HARNESS, [rtl / "bitsys", rtl / "baselines", rtl / "accelerators", rtl / "sim"])
    texts = {path.stem: path.read_text("utf-8") for path in sources}
    written = [path for path in sources if path.stem != simulate.HARNESS]
    given = ", ".join(f".{name}({value})" for name, value in simulate.parameters(machine).items())
    lines = ["module mutants (input logic clk_i);", f"  bit ended[{len(copies) + 1}];"]
    for number in range(-1, len(copies)):
        prefix = f"m{number}_" if number >= 0 else ""
        own = {simulate.HARNESS} | (with_users(copies[number].module, texts) if number >= 0 else set())
        names = re.compile(rf"\b({'|'.join(own)})\b")
        for name in [name for name in texts if name in own]:
            text = copies[number].text if number >= 0 and name == copies[number].module else texts[name]
            if name == simulate.HARNESS:
                text = _ending_by_itself(text, number + 1, prefix)
            path = folder / f"{prefix}{name}.sv"
            path.write_text(names.sub(rf"{prefix}\1", text), "utf-8")
            written.append(path)
        lines.append(f"  {prefix}{simulate.HARNESS} #({given}) u_{number + 1} (.clk_i);")
    lines += ["  always_ff @(posedge clk_i) begin", "    bit left;", "    left = 1'b0;"]
    lines += [f"    for (int k = 0; k <= {len(copies)}; k++) left |= !ended[k];", "    if (!left) $finish;"]
    harness = folder / "mutants.sv"
    harness.write_text("\n".join([*lines, "  end", "endmodule\n"]), "utf-8")
    return [*written, harness]


def _ending_by_itself(text: str, number: int, prefix: str) -> str:
    """The harness with output files of its own; where it ended the simulation, by success or watchdog, only it ends."""
    for output in OUTPUTS:
        text = text.replace(f'"/{output}"', f'"/{prefix}{output}"')
    clocked = "always_ff @(posedge clk_i) begin"
    head, body = text.split("  // A word is offered until", 1)
    if body.count(clocked) != 1 or body.count("$finish;") != 1:
        raise ValueError("the harness is not what is expected here")
    body = re.sub(r'\$fatal\(1,(?:"[^"]*"|[^;"])*\);|\$finish;', f"mutants.ended[{number}] = 1'b1;", body)
    return f"{head}  // {body}".replace(clocked, f"always_ff @(posedge clk_i) if (!mutants.ended[{number}]) begin")


def compiled(sources: Sequence[Path], folder: Path) -> Path:
    """The simulator of these sources, whose top is `mutants`. Raises RtlError with the words of who refuses it."""
    found = tools.verilator()
    main = paths.rtl() / "sim" / "accelerator_main.cpp"
    command = [found.folder / "verilator", "--cc", "--exe", "--build", "--top-module", "mutants", "--Mdir", folder]
    command += ["--prefix", f"V{simulate.HARNESS}", "-o", "mutants", *TOLERANT, *OPTIONS, *sources, main]
    done = subprocess.run(command, env=found.settings(), capture_output=True, text=True, check=False)
    if done.returncode:
        raise RtlError("the copies do not build:\n" + "\n".join(done.stderr.splitlines()[-8:]))
    return folder / "mutants"


def copy_of(mutant: Mutant) -> Copy:
    """The faulty module of a generated fault."""
    return Copy(mutant.module, mutant.apply((RTL / f"{mutant.module}.sv").read_text("utf-8")))
