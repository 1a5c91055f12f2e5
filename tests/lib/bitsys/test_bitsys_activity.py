"""Toggle counts against an independent one: the bits that differ between consecutive operands and products."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from triptych.bitsys import activity, model, netlist, synthesise
from triptych.bitsys.design import Design
from triptych.bitsys.tools import RtlError
from triptych.errors import ToolMissing

SMALL = Design(4, (1, 2, 4))


def test_every_net_is_read_once() -> None:
    saif = "(NET\n (n2 (T0 1) (T1 2) (TZ 0) (TX 0) (TB 0) (TC 31))\n (n30 (T0 1) (T1 2) (TZ 0) (TX 0) (TB 0) (TC 0))\n"
    other = " (a_i\\[0\\] (T0 1) (T1 2) (TZ 0) (TX 0) (TB 0) (TC 5))\n"
    assert activity.read(saif + other) == {2: 31, 30: 0}
    with pytest.raises(RtlError, match="3 nets in the SAIF file, 2 different"):
        activity.read(saif + saif.splitlines()[1])
    with pytest.raises(RtlError, match="0 nets"):
        activity.read(other)


def test_wrong_missing_and_surplus_answers_are_refused() -> None:
    due = list(range(100, 150))
    valid = [1 << 64 | one for one in due[:45]]
    activity.compare(SMALL, 4, [7, *valid], due)
    for answers in ([*valid[:20], 1 << 64 | 5, *valid[21:]], valid[:30], [1 << 64 | one for one in (*due, 9)]):
        with pytest.raises(RtlError, match=r"right up to number (20|30|50)\n"):
            activity.compare(SMALL, 4, answers, due)


def test_figures_are_for_a_token_and_for_a_useful_multiplication() -> None:
    made = activity.Activity(
        netlist="", width=2, a_signed=True, b_signed=True, tokens=100, cycles=100, seed=0, macs=4,
        nets=9, registers=700, gates=500, tools={},
    )  # fmt: skip
    assert (made.per_token, made.per_mac) == (12, 3)


def test_a_width_that_is_not_there_and_too_many_tokens_are_refused() -> None:
    with pytest.raises(ValueError, match="width 8 is not one of"):
        activity.toggles(SMALL, 8)
    with pytest.raises(ValueError, match="one run has room for 65536"):
        activity.toggles(SMALL, 4, tokens=70_000)


def test_without_pyosys_there_is_no_activity(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synthesise.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ToolMissing, match="pyosys"):
        activity.toggles(SMALL, 4)


def changes(words: np.ndarray) -> int:
    """Bits that differ between neighbours, and those set in the first word, which SAIF counts as toggles."""
    bits = [int(words[0])] + [int(one) ^ int(other) for one, other in itertools.pairwise(words)]
    return sum(bit.bit_count() for bit in bits)


@pytest.mark.slow
@pytest.mark.parametrize("unit", ["mul", "mac"])
def test_inputs_and_outputs_toggle_as_often_as_their_bits_differ(unit: str) -> None:
    design = Design(4, (1, 2, 4), unit="mac" if unit == "mac" else "mul")
    width, signs, tokens, seed = 2, (True, False), 640, 5
    counts = activity.count(design, width, signs, tokens, seed)
    ports = netlist.of(design).module.ports

    def counted(port: str) -> int:
        return sum(counts[bit] for bit in ports[port].bits if isinstance(bit, int))

    vectors, expected = activity.stimulus(design, width, signs, tokens, seed)
    operands = np.array(vectors)[-tokens - 1 :]
    assert counted("a_i") == changes(operands >> 16 & 15)
    assert counted("b_i") == changes(operands & 15)
    if unit == "mul":
        combination = next(c for c in model.combinations([width]) if (c.a_signed, c.b_signed) == signs)
        products = model.products(operands >> 16 & 15, operands & 15, 4, combination)
        assert products.tolist() == expected[-tokens - 1 :]
        late = design.latency
        assert counted("product_o") == changes(np.array(expected)[-tokens - 1 - late : -late])
    else:
        assert len(expected) == (len(vectors) - 4) // activity.DOT_PRODUCT
        edges = np.arange(len(vectors) - tokens - 1, len(vectors))
        closed = (edges - 4 - design.latency) % activity.DOT_PRODUCT == activity.DOT_PRODUCT - 1
        assert counted("valid_o") == changes(closed)


@pytest.mark.slow
def test_wider_channels_switch_more_cells() -> None:
    each = [activity.toggles(SMALL, width, tokens=640, seed=5) for width in SMALL.widths]
    assert each[0].per_token < each[1].per_token < each[2].per_token
    assert [one.macs for one in each] == [4, 2, 1]
    cells = netlist.of(SMALL).counts()
    assert each[0].nets >= cells["TRELLIS_FF"] + cells["LUT4"]
    again = activity.toggles(SMALL, 4, tokens=640, seed=5)
    assert activity.Activity.model_validate_json(again.model_dump_json()) == each[2]
