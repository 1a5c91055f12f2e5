"""`make mutate`: plant the faults of mutation.py in the RTL and see that the suite finds every one that can be seen.

Each mutant meets the suite's checks in turn, the cheapest first, until one finds it: simulation at N = 4, with other
lists of widths and at N = 8, assertions, lint, synthesis, and the parameters that must be accepted or refused. Those of
the accelerators meet whole networks on four small machines, lint and parameters. What is left must be argued in
equivalents.toml, by name; an entry whose mutant is found, or does not exist, is an error.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import accelerator_mutants
import mutants
import pandas as pd
from mutants import RTL, Copy
from mutation import Mutant, generate
from test_bitsys_bad_input import ILLEGAL
from test_bitsys_lint import DESIGNS as LINTED
from test_bitsys_lint import ILLEGAL as ILLEGAL_MACHINES
from test_bitsys_lint import SMALL, lint, verilator_lint

from triptych import paths
from triptych.bitsys import synthesise
from triptych.bitsys.design import Design, needed
from triptych.bitsys.tools import RtlError
from triptych.bitsys.vectors import Stimulus

SEED = 20260
SHARE = 6
"""Of so many generated mutants one is run, chosen by its name; `--all` runs every one."""

ACCELERATORS_SHARE = 48
"""The same for those of the accelerators."""

EQUIVALENTS = Path(__file__).with_name("equivalents.toml")

MUL4 = Design(4, (1, 2, 4), unit="mul")
MAC4 = Design(4, (1, 2, 4), unit="mac", acc_width=12)
MUL4_PRIMITIVE = Design(4, (1, 2, 4), unit="mul", primitive=True)
OTHER_LISTS = [
    MAC4,
    MUL4_PRIMITIVE,
    Design(4, (4,), unit="mac", acc_width=12),
    Design(4, (1,), unit="mac", acc_width=8),
    Design(4, (2, 4), unit="mac", acc_width=64),
    Design(4, (1, 4), unit="mul", primitive=True),
    Design(4, (2,), unit="mul"),
]
OTHER_SIZES = [
    Design(8, (1, 2, 4, 8), unit="mul"),
    Design(8, (2, 8), unit="mul", primitive=True),
    Design(8, (1, 4), unit="mac", acc_width=16),
    Design(8, (1, 2, 4, 8), unit="mac", acc_width=32),
]

# Parameters that a top must accept; those that it must refuse stand in test_bitsys_bad_input.
ACCEPTED = [
    ("bitsys_mul", {"N": 16, "Widths": 0x10116}),
    ("bitsys_reduce", {"N": 16, "Widths": 0x10000}),
    ("bitsys_mac", {"N": 4, "Widths": 0x2, "AccWidth": 8}),
    ("bitsys_mac", {"N": 16, "Widths": 0x10116, "AccWidth": 64}),
    ("bitsys_acc", {"ValueWidth": 16, "AccWidth": 16}),
]
# Whatever bitsys_mac refuses besides accumulators is refused by its parts, which are tops of their own here. The last
# line names the modules that look at parameters.
REFUSED = [case for case in ILLEGAL if case[0] != "bitsys_mac" or "AccWidth" in case[1]]
CHECKING = ("pkg", "mul", "mac", "reduce", "acc")


@dataclass
class Run:
    """Mutants and what became of each: `fate[id]` is the check that found it, or `stillborn`."""

    all: list[Mutant]
    texts: dict[str, str]
    fate: dict[str, str] = field(default_factory=dict[str, str])
    words: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def left(self) -> list[Mutant]:
        """Found by nothing so far."""
        return [mutant for mutant in self.all if mutant.id not in self.fate]

    def copy(self, mutant: Mutant) -> Copy:
        name = f"bitsys_{mutant.module}"
        return Copy(name, mutant.apply(self.texts[name]))

    def simulate(
        self,
        check: str,
        chosen: Sequence[Mutant],
        designs: Sequence[Design],
        stimulus: Stimulus,
        *,
        most: int,
        assertions: bool = False,
    ) -> None:
        """Compare mutants with the sound RTL as these designs, `most` in one simulator."""
        for start in range(0, len(chosen), most):
            part = list(chosen[start : start + most])
            # A counter that is made of counters may have become one without end, which must not reach the compiler.
            self.elaborate([mutant for mutant in part if mutant.module == "popcount"], designs)
            try:
                found = self.compare(part, designs, stimulus, assertions)
            except RtlError:
                self.elaborate(part, designs)
                found = self.compare(part, designs, stimulus, assertions)
            for design, response in zip(designs, found.sound, strict=True):
                if wrong := mutants.wrong(design, stimulus, response):
                    raise SystemExit(f"the sound RTL is wrong on {wrong} cycles: {mutants.label(design)}")
            seen = found.differs.any(axis=0) | (found.asserted & assertions)
            born = [mutant for mutant in part if mutant.id not in self.fate]
            self.fate |= {mutant.id: check for mutant, one in zip(born, seen, strict=True) if one}
            self.tell(f"{check}: {start + len(part)} of {len(chosen)}")

    def compare(
        self, part: Sequence[Mutant], designs: Sequence[Design], stimulus: Stimulus, assertions: bool
    ) -> mutants.Comparison:
        """Those of the mutants that have not met their fate yet, in one simulator."""
        copies = [self.copy(mutant) for mutant in part if mutant.id not in self.fate]
        return mutants.compare(designs, copies, stimulus, assertions=assertions)

    def elaborate(self, part: Sequence[Mutant], designs: Sequence[Design]) -> None:
        """Find the mutants that do not elaborate."""
        for number, said in mutants.refused(designs, [self.copy(mutant) for mutant in part]).items():
            # Refused by the design's own check of its parameters: the suite elaborates the same legal ones.
            self.fate[part[number].id] = "elaboration" if "USERERROR" in said else "stillborn"
            self.words[part[number].id] = said

    def lint(self, folder: Path) -> None:
        """Verilator's -Wall must stay silent about every design of the lint tests, and yosys must read a design."""
        for mutant in self.left:
            copy = self.copy(mutant)
            for name, text in self.texts.items():
                (folder / f"{name}.sv").write_text(copy.text if name == copy.module else text, "utf-8")
            own = [replace(design, rtl=folder) for design in LINTED if design.kind == "bitsys"]
            said = next((words for design in own if (words := verilator_lint(design, design.sources))), "")
            check = "lint"
            if not said:
                check = "synthesis"
                said = "".join(yosys_refuses(replace(one, rtl=folder), folder) for one in (MAC4, MUL4_PRIMITIVE))
            if said:
                self.fate[mutant.id], self.words[mutant.id] = check, said.splitlines()[0]
        self.tell("lint and synthesis")

    def parameters(self, folder: Path) -> None:
        """Legal parameters must be accepted and illegal ones refused with the value."""
        for mutant in (None, *(mutant for mutant in self.left if mutant.module in CHECKING)):
            copy = self.copy(mutant) if mutant else None
            for name, text in self.texts.items():
                (folder / f"{name}.sv").write_text(copy.text if copy and name == copy.module else text, "utf-8")
            right = judges_parameters(folder)
            if mutant is None and not right:
                raise SystemExit("the sound RTL accepts or refuses the wrong parameters")
            if mutant and not right:
                self.fate[mutant.id] = "parameters"
        self.tell("parameters")

    def tell(self, what: str) -> None:
        print(f"{what}: {len(self.left)} of {len(self.all)} not found yet", file=sys.stderr, flush=True)

    def table(self, argued: set[str]) -> pd.DataFrame:
        """Number of mutants by module and operator, and what became of them."""
        rows = [
            {
                "module": mutant.module,
                "operator": mutant.operator,
                "killed": self.fate.get(mutant.id, "stillborn") != "stillborn",
                "stillborn": self.fate.get(mutant.id) == "stillborn",
                "equivalent": mutant.id not in self.fate and mutant.id in argued,
                "survived": mutant.id not in self.fate and mutant.id not in argued,
            }
            for mutant in self.all
        ]
        return pd.DataFrame(rows)


def yosys_refuses(design: Design, folder: Path) -> str:
    """What yosys says when it does not read the design; empty when it does."""
    try:
        synthesise.yosys([synthesise.read(design.top, design.parameters, design.sources)], folder, design.top)
    except RtlError as error:
        return str(error)
    return ""


def judges_parameters(rtl: Path) -> bool:
    """Every module in this folder accepts what it must and refuses what it must, with the value."""

    def said(top: str, given: Mapping[str, int]) -> str:
        return mutants.verilator_says(top, given, needed(top, [rtl, paths.rtl() / "sim"]))

    accepted = all(not said(top, given) for top, given in ACCEPTED)
    return accepted and all(words in said(top, given) for top, given, words in REFUSED)


def run(share: int) -> Run:
    """All checks on the generated mutants."""
    found = Run(generate(RTL, share), {path.stem: path.read_text("utf-8") for path in sorted(RTL.glob("*.sv"))})
    small = mutants.traffic(4, 4000, SEED)
    only_mac = [m for m in found.all if m.module in mutants.MAC_ONLY]
    primitive = [m for m in found.all if m.module == "pe_lut"]
    others = [m for m in found.all if m not in only_mac and m not in primitive]
    for chosen, design in ((only_mac, MAC4), (others, MUL4), (primitive, MUL4_PRIMITIVE)):
        found.simulate("simulation at N = 4", chosen, [design], small, most=80)
    found.simulate("other lists of widths", found.left, OTHER_LISTS, small, most=40)
    found.simulate("N = 8", found.left, OTHER_SIZES, mutants.traffic(8, 12000, SEED), most=30)
    legal = mutants.traffic(4, 4000, SEED, codes=range(3))
    found.simulate("assertions", found.left, [MUL4, MAC4], legal, most=50, assertions=True)
    for check in (found.lint, found.parameters):
        with tempfile.TemporaryDirectory(prefix="triptych-mutants-") as name:
            check(Path(name))
    return found


def run_accelerators(share: int, part: int = 1, parts: int = 1) -> Run:
    """All checks on the generated mutants of the accelerators, or on a part of them; the cheapest machine first."""
    rtl = accelerator_mutants.RTL
    every = generate(rtl, share)
    chosen = every[len(every) * (part - 1) // parts : len(every) * part // parts]
    found = Run(chosen, {path.stem: path.read_text("utf-8") for path in sorted(rtl.glob("*.sv"))})
    for machine in accelerator_mutants.MACHINES:
        works, left = accelerator_mutants.work(machine, 6), found.left
        for start in range(0, len(left), 12):
            some = left[start : start + 12]
            copies = [accelerator_mutants.copy_of(mutant) for mutant in some]
            fates = accelerator_mutants.found_by(machine, copies, works)
            found.fate |= {mutant.id: said for mutant, said in zip(some, fates, strict=True) if said}
            for mutant, said in zip(some, fates, strict=True):
                print(f"{machine.label}: {said or 'not found'}: {mutant}", file=sys.stderr, flush=True)
            found.tell(f"{machine.label}: {start + len(some)} of {len(left)}")
    for mutant in found.left:
        with tempfile.TemporaryDirectory(prefix="triptych-mutants-") as name:
            for module, text in found.texts.items():
                text = mutant.apply(text) if module == mutant.module else text
                (Path(name) / f"{module}.sv").write_text(text, "utf-8")
            if said := _machine_lint(Path(name), found.texts[mutant.module].splitlines()[mutant.line - 1 :][:2]):
                found.fate[mutant.id], found.words[mutant.id] = said, ""
    found.tell("lint and parameters")
    return found


def _machine_lint(rtl: Path, lines: list[str]) -> str:
    """`lint` when Verilator's -Wall complains about an accelerator, `parameters` when the check of its parameters in
    these lines does not refuse what it must.
    """
    folders = [paths.rtl() / "bitsys", paths.rtl() / "baselines", rtl]
    for top, given in (("systolic", {"Rows": 4, "Bands": 2}), ("single_layer", {"Kind": 1})):
        if lint(top, SMALL | given, needed(top, folders)):
            return "lint"
    for top, given, words in ILLEGAL_MACHINES if any("$error" in line for line in lines) else ():
        settings = SMALL | given
        if top == "accelerators_core":
            del settings["PortBits"]
        if words not in lint(top, settings, needed(top, folders)):
            return "parameters"
    return ""


def argued() -> dict[str, str]:
    """The argument for each equivalent mutant, by its name."""
    entries = tomllib.loads(EQUIVALENTS.read_text("utf-8"))["equivalent"] if EQUIVALENTS.exists() else []
    return {name: entry["because"] for entry in entries for name in entry["mutants"]}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--all", action="store_true", help=f"every mutant, not one of {SHARE}")
    parser.add_argument("--only", choices=("bitsys", "accelerators"), help="mutants of one of them")
    parser.add_argument(
        "--part", default="1/1", metavar="K/N", help="the K-th of N equal parts of the mutants of the accelerators"
    )
    chosen = parser.parse_args()
    part, parts_ = map(int, chosen.part.split("/"))
    parts = [run(1 if chosen.all else SHARE)] if chosen.only != "accelerators" else []
    if chosen.only != "bitsys":
        parts.append(run_accelerators(1 if chosen.all else ACCELERATORS_SHARE, part, parts_))
    found = Run([one for part in parts for one in part.all], {})
    for part in parts:
        found.fate |= part.fate
        found.words |= part.words
    arguments = argued()
    table = found.table(set(arguments))
    survivors = [mutant for mutant in found.left if mutant.id not in arguments]
    wrongly = [name for name in arguments if name in found.fate]
    every = {mutant.id for folder in (RTL, accelerator_mutants.RTL) for mutant in generate(folder)}
    unknown = [name for name in arguments if name not in every]
    out = paths.build() / "mutation.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    keys = ("id", "module", "operator", "line", "old", "new")
    rows = [
        {key: getattr(mutant, key) for key in keys}
        | {"fate": found.fate.get(mutant.id), "said": found.words.get(mutant.id)}
        | {"argument": arguments.get(mutant.id)}
        for mutant in found.all
    ]
    out.write_text(json.dumps({"mutants": rows, "unargued": len(survivors)}, indent=1), "utf-8")
    for by in ("module", "operator"):
        print(table.groupby(by)[["killed", "equivalent", "survived", "stillborn"]].sum().to_string(), end="\n\n")
    for mutant in survivors:
        print(f"survived: {mutant}")
    for name in wrongly:
        print(f"argued to be equivalent, but found by {found.fate[name]}: {name}")
    for name in unknown:
        print(f"argued, but there is no such mutant: {name}")
    return 1 if survivors or wrongly or unknown else 0


if __name__ == "__main__":
    sys.exit(main())
