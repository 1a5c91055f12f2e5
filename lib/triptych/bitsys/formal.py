"""Proofs over all inputs, by the SAT solver of yosys.

What is claimed stands in rtl/formal: a module there runs a part of the design beside an independent statement of what
it must do (products by the language's own `*`, sums by `+`) and has outputs that are all ones when both agree.

Two kinds of proof, each for all time:

- *Unrolled*: claims about a pipeline. All registers begin with any value, all inputs are free in each of `steps`
  cycles, and the outputs are proved to be ones in the last. Because the registers may begin with anything, they may
  begin with what they hold at any moment of any run, so the last cycle is every later cycle of every run: modes before
  and after, gaps and resets included. That `steps` = latency + 1 is enough is shown by the proof itself; the reason is
  what `structure.pipeline` checks: no register feeds itself, so after the latency nothing is left of the beginning.
- *Induction*: for the accumulator, whose state lasts. One cycle of reset, then claims that hold for k cycles hold in
  the next.

yosys keeps every register of both sides here (no pass that merges or removes registers), so "any value" means that.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel

from triptych import paths
from triptych.bitsys import builds, synthesise
from triptych.bitsys.design import Design, needed
from triptych.bitsys.tools import RtlError

Outcome = Literal["proved", "refuted", "undecided"]

MOST_INDUCTION = 8
"""Longest induction tried; the accumulator needs two cycles."""


@dataclass(frozen=True)
class Claim:
    """Outputs of a module of rtl/formal that must be all ones, and how that is proved.

    `outputs` maps each output, or bits of one (`product_ok_o[3]`), to its width. `steps` is the number of cycles that
    are unrolled, the last of which is judged; None asks for induction from reset.
    """

    top: str
    parameters: Mapping[str, int]
    outputs: Mapping[str, int]
    steps: int | None

    @property
    def label(self) -> str:
        """For tables and messages."""
        settings = ", ".join(f"{name}={value}" for name, value in self.parameters.items())
        return f"{self.top}({settings}): {', '.join(self.outputs)}"


class Verdict(BaseModel):
    """What the solver said of a claim.

    `counterexample` has a row for each cycle, signal: value, when the claim is refuted. `undecided` means that time ran
    out, or that induction of the longest length did not succeed. `variables` and `clauses` are the size of the largest
    problem solved; `seconds` the wall time of everything, reading the sources included; `yosys` the version of pyosys.
    """

    claim: str
    outcome: Outcome
    counterexample: list[dict[str, int]]
    variables: int
    clauses: int
    seconds: float
    yosys: str


def cells(design: Design) -> Claim:
    """Every LUT6_2 cell is its behavioural twin: partial product and both registers, for every row, column and tag.

    The behaviour of LUT6_2 is the one that yosys gives with its Xilinx cells, not ours.
    """
    every = design.n**2
    return Claim("bitsys_pe_proof", _sizes(design), {"pp_ok_o": every, "a_ok_o": every, "b_ok_o": every}, steps=2)


def multiplier(design: Design) -> Claim:
    """The multiplier is a product: all operands, modes and signs, whatever tokens, gaps and resets come around."""
    outputs = {"product_ok_o": 2 * design.n, "tag_ok_o": 1, "valid_ok_o": 1}
    parameters = {**_sizes(design), "PrimitiveCells": int(design.primitive)}
    return Claim("bitsys_mul_proof", parameters, outputs, steps=2 * design.n + 2)


def reduction(design: Design) -> Claim:
    """The reduction tree is a sum of fields, for any word, mode and signs."""
    levels = (design.n // design.widths[0]).bit_length() - 1
    outputs = {"value_ok_o": 2 * design.n + 1, "tag_ok_o": 1, "valid_ok_o": 1}
    return Claim("bitsys_reduce_proof", _sizes(design), outputs, steps=levels + 1)


def accumulator(design: Design) -> Claim:
    """The accumulator is a running sum modulo 2^acc_width, for sums of any length with any gaps and resets."""
    parameters = {"ValueWidth": 2 * design.n, "AccWidth": design.acc_width}
    return Claim("bitsys_acc_proof", parameters, {"sum_ok_o": 1, "valid_ok_o": 1, "state_ok_o": 1}, steps=None)


def by_bit(claim: Claim) -> list[Claim]:
    """The same claim in parts, one for each output bit: together they say as much, and each is easier."""
    return [
        Claim(claim.top, claim.parameters, {f"{name}[{bit}]" if width > 1 else name: 1}, claim.steps)
        for name, width in claim.outputs.items()
        for bit in range(width)
    ]


def prove(claim: Claim, rtl: Path | None = None, timeout: int = 600) -> Verdict:
    """Prove or refute a claim within about `timeout` seconds; kept in the cache by the bytes of all sources.

    `rtl` stands in for the checkout's rtl/bitsys when a test brings a changed copy. An undecided claim is not kept.
    Raises ToolMissing without pyosys, RtlError when yosys refuses the sources.
    """
    home = paths.rtl()
    sources = needed(claim.top, [rtl or home / "bitsys", home / "formal", home / "sim"])
    version = synthesise.version()
    commands = _commands(claim, sources, timeout)
    facts = {"commands": [command for command in commands if not command.startswith("read_slang")], "pyosys": version}
    facts |= {"top": claim.top, "parameters": dict(claim.parameters)}

    def make(folder: Path) -> None:
        start = time.perf_counter()
        log = synthesise.yosys(commands, folder, claim.label)
        verdict = _verdict(claim, log, time.perf_counter() - start, version)
        if verdict.outcome == "undecided":
            raise _Undecided(verdict)
        (folder / "verdict.json").write_text(verdict.model_dump_json(indent=1), "utf-8")

    try:
        folder = builds.once("formal", builds.key(sources, facts), make)
    except _Undecided as undecided:
        return undecided.verdict
    return Verdict.model_validate_json((folder / "verdict.json").read_text("utf-8"))


@dataclass
class _Undecided(Exception):
    verdict: Verdict


def _sizes(design: Design) -> dict[str, int]:
    return {name: design.parameters[name] for name in ("N", "Widths")}


def _commands(claim: Claim, sources: Sequence[Path], timeout: int) -> list[str]:
    proofs = " ".join(f"-prove {name} {width}'b{'1' * width}" for name, width in claim.outputs.items())
    if claim.steps is None:
        time_frame = f"-tempinduct -seq 1 -set-at 1 rst_ni 0 -maxsteps {MOST_INDUCTION}"
    else:
        time_frame = f"-seq {claim.steps} -prove-skip {claim.steps - 1}"
    return [
        synthesise.read(claim.top, claim.parameters, sources),
        "read_verilog -overwrite +/xilinx/cells_sim.v",  # what LUT6_2 does
        f"hierarchy -top {claim.top}",
        "proc",
        "flatten",
        "opt_expr",
        "opt_clean",
        f"sat {time_frame} {proofs} -show-inputs -timeout {timeout}",
    ]


def _verdict(claim: Claim, log: str, seconds: float, version: str) -> Verdict:
    proved = ("SAT proof finished - no model found: SUCCESS!", "Induction step proven: SUCCESS!")
    refuted = ("SAT proof finished - model found: FAIL!", "model found for base case: FAIL!")
    undecided = ("Interrupted SAT solver: TIMEOUT!", "Reached maximum number of time steps -> proof failed.")
    outcomes: list[tuple[Outcome, tuple[str, ...]]] = [
        ("proved", proved),
        ("refuted", refuted),
        ("undecided", undecided),
    ]
    found: list[Outcome] = [outcome for outcome, signs in outcomes if any(sign in log for sign in signs)]
    if len(found) != 1:
        raise RtlError(f"{claim.label}: yosys' answer was not understood", "\n".join(log.splitlines()[-20:]))
    sizes = [(int(one[1]), int(one[2])) for one in re.finditer(r"problem with (\d+) variables and (\d+) clauses", log)]
    return Verdict(
        claim=claim.label,
        outcome=found[0],
        counterexample=_counterexample(log) if found[0] == "refuted" else [],
        variables=max(size[0] for size in sizes),
        clauses=max(size[1] for size in sizes),
        seconds=seconds,
        yosys=version,
    )


_ROW = re.compile(r"^ *(\d+) +\\(\S+) +\S+ +\S+ +([01x]+)$", re.MULTILINE)


def _counterexample(log: str) -> list[dict[str, int]]:
    """The table that yosys prints: time, signal, decimal, hexadecimal, binary; one dictionary a cycle."""
    steps: dict[int, dict[str, int]] = {}
    for row in _ROW.finditer(log):
        steps.setdefault(int(row[1]), {})[row[2]] = int(row[3].replace("x", "0"), 2)
    return [steps[step] for step in sorted(steps)]
