"""The proofs hold, over all inputs, and each of them would find a fault."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from planting import planted

from triptych.bitsys import formal
from triptych.bitsys.design import Design

FOUR = Design(4, (1, 2, 4))
EIGHT = Design(8)

LISTS = [
    widths for count in range(1, 5) for widths in itertools.combinations((1, 2, 4, 8), count)
]  # what a design of 8 bits may list

CLAIMS = {
    "cells 4": formal.cells(FOUR),
    "cells 8": formal.cells(EIGHT),
    "multiplier 4": formal.multiplier(FOUR),
    "multiplier 4 of primitives": formal.multiplier(Design(4, (1, 2, 4), primitive=True)),
    "reduction 4": formal.reduction(FOUR),
    "reduction 8": formal.reduction(EIGHT),
    "accumulator 8": formal.accumulator(EIGHT),
    "accumulator of its narrowest": formal.accumulator(Design(8, unit="mac", acc_width=16)),
}


@pytest.mark.parametrize("claim", CLAIMS.values(), ids=CLAIMS.keys())
def test_proved_for_all_inputs(claim: formal.Claim) -> None:
    verdict = formal.prove(claim)
    assert verdict.outcome == "proved", verdict
    assert verdict.clauses > 1000 and verdict.yosys


@pytest.mark.parametrize("widths", LISTS, ids=str)
def test_the_cell_of_primitives_is_its_twin_for_every_list_of_widths(widths: tuple[int, ...]) -> None:
    assert formal.prove(formal.cells(Design(8, widths))).outcome == "proved"


@pytest.mark.parametrize("widths", [widths for widths in LISTS if 8 not in widths], ids=str)
def test_the_multiplier_of_4_bits_is_a_product_for_every_list_of_widths(widths: tuple[int, ...]) -> None:
    assert formal.prove(formal.multiplier(Design(4, widths))).outcome == "proved"


FAULTS = [
    ("cells 4", "pe_lut", "stays & ~inactive", "stays"),
    ("cells 4", "pe_lut", "found[k] = a ^ b", "found[k] = a & b"),
    ("cells 4", "pe_lut", "&& First != Inner && stays) a_o", "&& First == Inner && stays) a_o"),
    ("cells 4", "pe", "pp_o = a_i ^ b_i", "pp_o = ~(a_i ^ b_i)"),
    ("multiplier 4", "pe", "a_q <= 1'b0", "a_q <= a_i"),
    ("multiplier 4", "pe", "bitsys_pkg::tops(Widths, Col)", "bitsys_pkg::tops(Widths, Row)"),
    ("multiplier 4", "pkg", "(d + 1) % (2 * p) == 0", "(d + 2) % (2 * p) == 0"),
    ("multiplier 4", "constant", "& one)", "& both)"),
    ("multiplier 4", "tag", "if (!rst_ni) valid_q <= '0", "if (!rst_ni && last_i) valid_q <= '0"),
    ("multiplier 4", "tag", ".d_i(a_signed_q[2*N-1])", ".d_i(b_signed_q[2*N-1])"),
    ("multiplier 4", "skew", ".Depth(k + 1)", ".Depth(k)"),
    ("multiplier 4 of primitives", "pe_lut", "crossing & other", "crossing | other"),
    ("reduction 4", "reduce", "a_signed_i | b_signed_i", "a_signed_i & b_signed_i"),
    ("reduction 4", "merge", ": high_i;", ": low_i;"),
    ("reduction 8", "reduce", ".Depth(k)", ".Depth(0)"),
    ("accumulator 8", "acc", "carry_q    <= carry", "carry_q    <= 1'b0"),
    ("accumulator 8", "acc", "start_q    <= fresh_q", "start_q    <= last_i"),
    ("accumulator 8", "acc", "closing_q <= 1'b0", "closing_q <= valid_i & last_i"),
]


@pytest.mark.parametrize(("claim", "file", "old", "new"), FAULTS, ids=lambda value: str(value))
def test_a_fault_is_refuted(claim: str, file: str, old: str, new: str, tmp_path: Path) -> None:
    verdict = formal.prove(CLAIMS[claim], planted(tmp_path, file, old, new))
    assert verdict.outcome == "refuted"
    assert verdict.counterexample, "with the inputs that show it"


def test_the_counterexample_is_one() -> None:
    """A claim that is false of the sound design: the inputs found make its last cycle a counterexample by our model."""
    claim = formal.multiplier(FOUR)
    early = formal.Claim(claim.top, claim.parameters, {"product_ok_o": 8}, steps=claim.steps and claim.steps - 1)
    verdict = formal.prove(early)
    assert verdict.outcome == "refuted", "one cycle too few, and what was in the registers before shows"
    assert len(verdict.counterexample) == early.steps
    assert verdict.counterexample[0].keys() >= {"a_i", "b_i", "mode_i", "a_signed_i", "b_signed_i", "rst_ni"}


def test_the_parts_of_a_claim_are_the_claim() -> None:
    parts = formal.by_bit(formal.multiplier(FOUR))
    assert [name for part in parts for name in part.outputs] == [
        *(f"product_ok_o[{bit}]" for bit in range(8)),
        "tag_ok_o",
        "valid_ok_o",
    ]
    assert formal.prove(parts[7]).outcome == "proved"


def test_no_time_is_no_verdict_and_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIPTYCH_CACHE", str(tmp_path))
    (hard,) = [part for part in formal.by_bit(formal.multiplier(EIGHT)) if "product_ok_o[8]" in part.outputs]
    assert formal.prove(hard, timeout=1).outcome == "undecided"
    assert not list((tmp_path / "bitsys" / "formal").glob("*/verdict.json"))
