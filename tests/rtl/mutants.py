"""Plant the faults of faults.toml in copies of a design, side by side in one simulator."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import NamedTuple


class Fault(NamedTuple):
    """One planted fault."""

    name: str
    file: str
    old: str
    new: str


FAULTS = [Fault(**row) for row in tomllib.loads(Path(__file__).with_name("faults.toml").read_text("utf-8"))["fault"]]


MAC_FAULTS = [fault for fault in FAULTS if fault.file in ("merge", "reduce", "acc", "mac")]
"""Faults in modules that only the multiply-accumulate unit has."""

MUL_FAULTS = [fault for fault in FAULTS if fault not in MAC_FAULTS]


def plant(rtl: Path, harness: Path, folder: Path, faults: list[Fault]) -> list[Path]:
    """Write copy 0 without a fault, copy k with fault k - 1 and a top that clocks them all; the sources, in order.

    A copy has its own version of the faulty module and of the modules above it; the rest it shares with copy 0.
    """
    modules = sorted(rtl.glob("*.sv"), key=lambda path: (not path.stem.endswith("_pkg"), path.name))
    texts = {path.stem: path.read_text("utf-8") for path in [*modules, harness]}
    written: list[Path] = []
    for number in range(len(faults) + 1):
        fault = faults[number - 1] if number else None
        own = _with_users(f"bitsys_{fault.file}", texts) if fault else set(texts)
        names = re.compile(rf"\b({'|'.join(own if fault else [harness.stem])})\b")
        for name in [name for name in texts if name in own]:
            text = texts[name]
            if fault and name == f"bitsys_{fault.file}":
                if text.count(fault.old) != 1:
                    raise ValueError(f"{fault.name}: {fault.old!r} occurs {text.count(fault.old)} times in {name}")
                text = text.replace(fault.old, fault.new)
            text = names.sub(rf"m{number}_\1", text).replace('"results=%s"', f'"results{number}=%s"')
            copy = folder / f"m{number}_{name}.sv"
            copy.write_text(text, "utf-8")
            written.append(copy)
    top = folder / "mutants.sv"
    lines = "\n".join(
        f"  m{number}_bitsys_sweep #(.N(N), .Widths(Widths), .Mac(Mac), .AccWidth(AccWidth), .Depth(Depth)) "
        f"u_{number} (.clk_i, .done_o(done[{number}]));"
        for number in range(len(faults) + 1)
    )
    top.write_text(
        "module mutants #(\n  parameter int unsigned N = 4,\n  parameter int unsigned Widths = 32'h16,\n"
        "  parameter bit Mac = 1'b0,\n  parameter int unsigned AccWidth = 32,\n"
        "  parameter int unsigned Depth = 8192\n) (\n  input logic clk_i,\n  output logic done_o\n);\n"
        f"  logic [{len(faults)}:0] done;\n  assign done_o = &done;\n{lines}\nendmodule\n",
        "utf-8",
    )
    return [*written, top]


def _with_users(name: str, texts: dict[str, str]) -> set[str]:
    """The module or package and everything that uses it, directly or not."""
    found, before = {name}, set[str]()
    while found != before:
        before = set(found)
        found |= {user for user, text in texts.items() if any(re.search(rf"\b{used}\b", text) for used in before)}
    return found
