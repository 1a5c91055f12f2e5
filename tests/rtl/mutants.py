"""Many faulty copies of a design side by side in one simulator, each compared with the sound copy on every cycle.

A copy has its own version of the faulty module and of the modules above it and shares the rest with the sound one. All
copies see the same inputs; the harness made here counts the cycles in which a copy's answer is not that of the sound
one, and writes down what the sound one answers, for the comparison with the model.
"""

from __future__ import annotations

import re
import resource
import subprocess
import tempfile
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from triptych import paths
from triptych.bitsys import clock, model, simulate, tools, vectors
from triptych.bitsys.design import Design
from triptych.bitsys.model import Bools, Ints
from triptych.bitsys.vectors import Response, Stimulus

RTL = paths.rtl() / "bitsys"
# Parameters that the design itself refuses stay an error; whatever else a fault makes suspicious is let through.
TOLERANT = ("-Wno-fatal", "-Wno-lint", "-Werror-USERERROR")
OPTIONS = ("-O1", *TOLERANT, "-CFLAGS", "-O0", "--x-assign", "fast", "--x-initial", "fast")


class Fault(NamedTuple):
    """One fault written by hand: `old` occurs once in the module's text."""

    name: str
    file: str
    old: str
    new: str

    def copy(self) -> Copy:
        """The faulty module. Raises ValueError when the text to replace is not there exactly once."""
        text = (RTL / f"bitsys_{self.file}.sv").read_text("utf-8")
        if text.count(self.old) != 1:
            raise ValueError(f"{self.name}: {self.old!r} occurs {text.count(self.old)} times in bitsys_{self.file}")
        return Copy(f"bitsys_{self.file}", text.replace(self.old, self.new))


FAULTS = [Fault(**row) for row in tomllib.loads(Path(__file__).with_name("faults.toml").read_text("utf-8"))["fault"]]

MAC_ONLY = ("merge", "reduce", "acc", "mac")
"""Modules that only the multiply-accumulate unit has."""


@dataclass(frozen=True)
class Copy:
    """A version of one module or package."""

    module: str
    text: str


def label(design: Design) -> str:
    """Short name: `mac 8 (1, 4)`."""
    return f"{design.unit} {design.n} {design.widths}{' of primitive cells' if design.primitive else ''}"


def mode_bits(design: Design) -> int:
    """Bits of the port that carries the mode code."""
    return max(1, (len(design.widths) - 1).bit_length())


def wrong(design: Design, stimulus: Stimulus, response: Response) -> int:
    """Rows on which the answer is not what the model says; a mode code beyond the list means the widest width."""
    codes = stimulus.mode & ((1 << mode_bits(design)) - 1)
    top = (1 << design.n) - 1
    modes = np.minimum(codes, len(design.widths) - 1)
    asked = replace(stimulus, mode=modes, a=stimulus.a & top, b=stimulus.b & top)
    if design.unit == "mul":
        products = vectors.expected(design.n, design.widths, asked)
        return int(vectors.mismatches(asked, response, products).sum())
    sums = vectors.expected_sums(design.n, design.widths, asked, min(design.acc_width, 62))
    return int(vectors.sum_mismatches(asked, response, sums).sum())


@dataclass(frozen=True)
class Comparison:
    """What one run found.

    `differs[s, c]`: cycles on which copy c answered unlike the sound one as design s; `asserted[c]`: an assertion of
    copy c failed; `sound[s]`: what the sound one answered.
    """

    differs: Ints
    asserted: Bools
    sound: list[Response]


def traffic(n: int, cycles: int, seed: int, codes: Sequence[int] = range(8)) -> Stimulus:
    """Random traffic with gaps, resets and all these mode codes, and every operand pair in between when N = 4."""
    rng = np.random.default_rng(seed)
    parts = [vectors.scattered(n, codes, cycles, rng)]
    parts[0] = replace(parts[0], rst_n=rng.random(cycles) >= 0.02)
    if n == 4:
        parts += [vectors.exhaustive(4, (1, 2, 4), combination) for combination in model.combinations((1, 2, 4))]
    parts.append(vectors.scattered(n, codes, cycles // 2, rng, gaps=0))
    everything = vectors.join(parts)
    return replace(everything, last=rng.random(len(everything)) < 0.2)


def compare(
    designs: Sequence[Design], copies: Sequence[Copy], stimulus: Stimulus, *, assertions: bool = False
) -> Comparison:
    """Run the sound RTL and every copy as each of the designs, all in one simulator.

    With `assertions`, those of the faulty modules and of the modules above them count; the stimulus must then keep to
    listed mode codes.
    """
    with tempfile.TemporaryDirectory(prefix="triptych-mutants-") as name:
        folder = Path(name)
        sources = plant(designs, copies, folder)
        built = simulate.build("mutants", sources, {}, *OPTIONS, "--assert" if assertions else "--no-assert")
        latency = max(design.latency for design in designs)
        whole = vectors.join([stimulus, vectors.idle(latency)])
        (folder / "vectors.hex").write_text("".join(f"{word:010x}\n" for word in _words(whole)), "ascii")
        env = {"TRIPTYCH_SWEEP_CYCLES": str(len(whole))}
        simulate.run(built, "mutants", clock.__name__, folder, plusargs=[f"+count={len(whole)}"], env=env)
        counted = [int(line, 16) for line in (folder / "counts.hex").read_text("ascii").split() if line[0] != "/"]
        sound = [
            _response(folder / f"sound{number}.hex", design.latency, len(stimulus))
            for number, design in enumerate(designs)
        ]
    rows = np.array(counted).reshape(len(designs) + 1, len(copies))
    return Comparison(rows[:-1], rows[-1] > 0, sound)


def plant(designs: Sequence[Design], copies: Sequence[Copy], folder: Path) -> list[Path]:
    """Write the sound design, the copies and the harness; the sources in order."""
    modules = {path: None for design in designs for path in design.sources}
    written = sorted(modules, key=lambda path: (not path.stem.endswith("_pkg"), path.name))
    texts = {path.stem: path.read_text("utf-8") for path in written}
    tops = {design.top for design in designs}
    for number, copy in enumerate(copies):
        own = with_users(copy.module, texts) | tops
        names = re.compile(rf"\b({'|'.join(own)})\b")
        for name in [name for name in texts if name in own]:
            text = copy.text if name == copy.module else texts[name]
            text = re.sub(r'else \$error\((?:"[^"]*"|[^;"])*\);', _noting(number), text)
            path = folder / f"m{number}_{name}.sv"
            path.write_text(names.sub(rf"m{number}_\1", text), "utf-8")
            written.append(path)
    harness = folder / "mutants.sv"
    harness.write_text(_harness(designs, len(copies)), "utf-8")
    visible = folder / "mutants.vlt"
    visible.write_text(
        '`verilator_config\npublic_flat_rw -module "mutants" -var "clk_i"\n'
        'public_flat_rd -module "mutants" -var "done_o"\n',
        "utf-8",
    )
    return [*written, harness, visible]


def _noting(number: int) -> Callable[[re.Match[str]], str]:
    """A failed assertion of a copy does not end the simulation, it is noted; elaboration checks stay."""

    def change(found: re.Match[str]) -> str:
        return f"else mutants.asserted[{number}] = 1'b1;"

    return change


def with_users(name: str, texts: dict[str, str]) -> set[str]:
    """The module or package and everything that uses it, directly or not."""
    found, before = {name} & texts.keys(), set[str]()
    while found != before:
        before = set(found)
        found |= {user for user, text in texts.items() if any(re.search(rf"\b{used}\b", text) for used in before)}
    return found


def _harness(designs: Sequence[Design], copies: int) -> str:
    """The top: vectors from a file, every copy as every design, counts and the sound answers to files."""
    lines = [
        "module mutants (input logic clk_i, output logic done_o);",
        "  typedef struct packed {logic rst_n, valid, last, a_signed, b_signed; logic [2:0] mode; logic [15:0] a, b;}",
        "    vector_t;",
        "  typedef struct packed {logic valid, last, a_signed, b_signed; logic [2:0] mode; logic [63:0] product;}",
        "    answer_t;",
        "  vector_t vectors[1 << 18];",
        "  vector_t now;",
        "  int unsigned count, index;",
        f"  bit asserted[{max(1, copies)}];",
        "  assign now = vectors[index];",
    ]
    clocked: list[str] = []
    final: list[str] = []
    for s, design in enumerate(designs):
        given = ", ".join(f".{name}({value})" for name, value in design.parameters.items())
        top, result = design.top, "sum_o" if design.unit == "mac" else "product_o"
        bits = design.acc_width if design.unit == "mac" else 2 * design.n
        # A sum is always the last of its dot product; its unit has no such port.
        last = "" if design.unit == "mac" else f".last_o(last{s}[k]), "
        lines += [
            f"  logic [{copies}:0] valid{s}, last{s}, a_signed{s}, b_signed{s};",
            f"  logic [{copies}:0][{mode_bits(design) - 1}:0] mode{s};",
            f"  logic [{copies}:0][{bits - 1}:0] product{s};",
            f"  answer_t [{copies}:0] answer{s};",
            f"  answer_t sound{s}[1 << 18];",
            f"  int unsigned differs{s}[{max(1, copies)}];",
        ]
        if design.unit == "mac":
            lines.append(f"  assign last{s} = valid{s};")
        for copy in range(copies + 1):
            prefix = f"m{copy - 1}_" if copy else ""
            ports = last.replace("[k]", f"[{copy}]")
            lines += [
                f"  {prefix}{top} #({given}) u_{s}_{copy} (.clk_i, .rst_ni(now.rst_n), .valid_i(now.valid),",
                f"    .last_i(now.last), .mode_i(now.mode[{mode_bits(design) - 1}:0]), .a_signed_i(now.a_signed),",
                f"    .b_signed_i(now.b_signed), .a_i(now.a[{design.n - 1}:0]), .b_i(now.b[{design.n - 1}:0]),",
                f"    .valid_o(valid{s}[{copy}]), {ports}.mode_o(mode{s}[{copy}]),",
                f"    .a_signed_o(a_signed{s}[{copy}]), .b_signed_o(b_signed{s}[{copy}]),",
                f"    .{result}(product{s}[{copy}]));",
            ]
        lines += [
            f"  for (genvar k = 0; k <= {copies}; k++) begin : gen_answer{s}",
            f"    assign answer{s}[k] = {{valid{s}[k], last{s}[k], a_signed{s}[k], b_signed{s}[k], 3'(mode{s}[k]),",
            f"                           64'(product{s}[k])}};",
            "  end",
        ]
        clocked.append(f"      sound{s}[index] <= answer{s}[0];")
        clocked.append(
            f"      for (int k = 0; k < {copies}; k++) if (answer{s}[k+1].valid != answer{s}[0].valid || "
            f"(answer{s}[0].valid && answer{s}[k+1] != answer{s}[0])) differs{s}[k] <= differs{s}[k] + 1;"
        )
        final.append(f'    $writememh("sound{s}.hex", sound{s}, 0, int\'(count) - 1);')
        final.append(f'    for (int k = 0; k < {copies}; k++) $fdisplay(file, "%08x", differs{s}[k]);')
    return "\n".join(
        [
            *lines,
            "  initial begin",
            "    index = 0;",
            "    done_o = 1'b0;",
            '    if (!$value$plusargs("count=%d", count)) $fatal(1, "give +count=");',
            '    $readmemh("vectors.hex", vectors, 0, int\'(count) - 1);',
            "  end",
            "  always_ff @(posedge clk_i) begin",
            "    if (!done_o) begin",
            *clocked,
            "      if (index == count - 1) done_o <= 1'b1;",
            "      else index <= index + 1;",
            "    end",
            "  end",
            "  int file;",
            "  final begin",
            '    file = $fopen("counts.hex", "w");',
            *final,
            f'    for (int k = 0; k < {copies}; k++) $fdisplay(file, "%08x", asserted[k]);',
            "    $fclose(file);",
            "  end",
            "endmodule\n",
        ]
    )


def _words(stimulus: Stimulus) -> list[int]:
    """The rows as `vector_t`."""
    word = np.zeros(len(stimulus), np.int64)
    fields = [(stimulus.rst_n, 1), (stimulus.valid, 1), (stimulus.last, 1), (stimulus.a_signed, 1)]
    fields += [(stimulus.b_signed, 1), (stimulus.mode, 3), (stimulus.a, 16), (stimulus.b, 16)]
    for values, bits in fields:
        word = (word << bits) | values.astype(np.int64)
    return word.tolist()


def _response(path: Path, latency: int, rows: int) -> Response:
    """The answers to the rows of the stimulus, from lines of `answer_t`."""
    lines = [line for line in path.read_text("ascii").splitlines() if line[0] != "/"]
    words = [int(line, 16) for line in lines[latency : latency + rows]]

    def flag(bit: int) -> Bools:
        return np.array([word >> bit & 1 for word in words], np.bool_)

    return Response(
        valid=flag(70),
        last=flag(69),
        a_signed=flag(68),
        b_signed=flag(67),
        mode=np.array([word >> 64 & 7 for word in words]),
        product=np.array([word & (1 << 62) - 1 for word in words]),
        latency=latency,
    )


def refused(designs: Sequence[Design], copies: Sequence[Copy]) -> dict[int, str]:
    """Copies that do not elaborate, by number, each with Verilator's first words about it.

    One fault can hide another from Verilator, so what is refused is taken out until the rest is accepted.
    """
    found: dict[int, str] = {}
    while True:
        left = [number for number in range(len(copies)) if number not in found]
        with tempfile.TemporaryDirectory(prefix="triptych-mutants-") as name:
            sources = plant(designs, [copies[number] for number in left], Path(name))
            said = verilator_says("mutants", {}, sources)
        fresh: dict[int, str] = {}
        for line in said.splitlines():
            if line.startswith("%Error") and (place := re.search(r"m(\d+)_bitsys", line)):
                fresh.setdefault(left[int(place[1])], re.sub(r"\S*/m\d+_", "", line))
        found |= fresh
        if not said:
            return found
        if not fresh and len(left) == 1:
            return found | {left[0]: said.splitlines()[0]}
        if not fresh:  # an error without a place, or no end: look at each half
            half = len(left) // 2
            for part in (left[:half], left[half:]):
                inner = refused(designs, [copies[number] for number in part])
                found |= {part[number]: words for number, words in inner.items()}
            return found


def verilator_says(top: str, parameters: Mapping[str, int], sources: Sequence[Path]) -> str:
    """Verilator's words when it does not take the sources with these parameters; empty when it does.

    A fault can make a module instantiate itself for ever, so processor time and memory are bounded.
    """
    found = tools.verilator()
    given = [f"-G{name}={value}" for name, value in parameters.items()]
    options = ["--lint-only", *TOLERANT, "--no-assert", "--error-limit", "1000", "--top-module", top]
    done = subprocess.run(
        [found.folder / "verilator_bin", *options, *given, *sources],
        env=found.settings(),
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=_bounded,
    )
    return "" if done.returncode == 0 else done.stderr or f"%Error: Verilator ended with {done.returncode}"


def _bounded() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
    resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
