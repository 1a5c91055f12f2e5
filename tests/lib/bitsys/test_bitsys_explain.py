"""The step-by-step algorithm against the model, and a global mode wire against what must go wrong."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from triptych.bitsys import explain, model

WIDTHS = {4: (1, 2, 4), 8: (1, 2, 4, 8), 16: (1, 2, 4, 8, 16)}
ASKED = [c for c in model.combinations(WIDTHS[16]) if (c.a, c.b) != ("signed", "signed") or c.a_signed]


@pytest.mark.parametrize("combination", model.combinations(WIDTHS[4]), ids=lambda c: c.label)
def test_every_product_of_four_bit_containers(combination: model.Combination) -> None:
    a, b = np.divmod(np.arange(256), 16)
    still = np.zeros((256, 8), np.int64)
    flow = explain.flow(4, [combination], a, b, still, still)
    assert (flow.products == model.products(a, b, 4, combination)).all()


@given(st.sampled_from([8, 16]), st.data())
def test_products_of_wider_containers(n: int, data: st.DataObject) -> None:
    combination = data.draw(st.sampled_from([c for c in ASKED if c.width <= n]))
    a, b = (data.draw(st.integers(0, (1 << n) - 1)) for _ in "ab")
    flow = explain.steps(n, combination, a, b)
    assert flow.products[0] == model.products(np.array(a), np.array(b), n, combination)


@pytest.mark.parametrize(
    ("both", "words"),
    [(True, {2: 0xCCCC, 4: 0x9090, 8: 0x8100}), (False, {1: 0xFFFF, 2: 0xAAAA, 4: 0x8888, 8: 0x8080})],
)
def test_the_constants_are_those_derived_on_paper(both: bool, words: dict[int, int]) -> None:
    for width, word in words.items():
        assert explain.constant(8, explain.asked(width, True, both)) == word
        assert explain.constant(8, explain.asked(width, both, True)) == word
        assert explain.constant(8, explain.asked(width, False, False)) == 0


def test_a_request_means_bipolar_only_for_single_bits_with_both_signs() -> None:
    for combination in ASKED:
        assert explain.asked(combination.width, combination.a_signed, combination.b_signed) == combination
        assert explain.bipolar(combination) == (combination.a == combination.b == "bipolar")


def test_no_carry_passes_a_fence_and_some_carry_reaches_one() -> None:
    a, b = np.divmod(np.arange(1 << 8), 16)
    still = np.zeros((256, 8), np.int64)
    flow = explain.flow(4, [explain.asked(2, True, True)], a, b, still, still)
    assert not flow.carries[:, 4].any()
    before = flow.counts[:, 3] + flow.constants[:, 3] + flow.carries[:, 3]
    assert (before > 1).any()


def slow_late(n: int, before: model.Combination, after: model.Combination, gap: int, a: int, b: int, age: int) -> bool:
    """One token, `age` cycles before the first idle one, cell by cell; without bipolar bits."""
    clock = -age
    carry = product = 0
    for d in range(2 * n):
        ones = 0
        for i in range(n):
            j = d - i
            now = after if clock + d + 1 > gap else before
            if 0 <= j < n and i // now.width == j // now.width:
                minus = (now.a_signed and j % now.width == now.width - 1) != (
                    now.b_signed and i % now.width == now.width - 1
                )
                ones += ((a >> j) & (b >> i) & 1) ^ minus
        now = after if clock + min(d + 2, 2 * n) > gap else before
        total = ones + carry + (explain.constant(n, now) >> d & 1)
        product |= (total & 1) << d
        carry = 0 if (d + 1) % (2 * now.width) == 0 else total >> 1
    return product != int(model.products(np.array(a), np.array(b), n, before))


@given(st.data())
def test_a_late_switch_equals_the_slow_oracle(data: st.DataObject) -> None:
    plain = [c for c in ASKED if c.width <= 4 and not explain.bipolar(c)]
    before, after = data.draw(st.sampled_from(plain)), data.draw(st.sampled_from(plain))
    gap = data.draw(st.integers(0, 9))
    a, b = (np.array([data.draw(st.lists(st.integers(0, 15), min_size=8, max_size=8))]) for _ in "ab")
    found = explain.late(4, before, after, gap, a, b)[0]
    expected = [slow_late(4, before, after, gap, int(a[0, t]), int(b[0, t]), 8 - t) for t in range(8)]
    assert found.tolist() == expected


@pytest.mark.parametrize("n", WIDTHS)
def test_a_global_wire_spoils_products_until_the_array_is_empty(n: int) -> None:
    a, b = np.random.default_rng(0).integers(0, 1 << n, (2, 40, 2 * n))
    before, after = explain.asked(n, True, True), explain.asked(1, True, True)
    wrong = [int(explain.late(n, before, after, gap, a, b).sum()) for gap in range(2 * n)]
    assert wrong[0] > 0
    assert wrong == sorted(wrong, reverse=True)
    assert wrong[-1] == 0
    assert not explain.late(n, before, before, 0, a, b).any(), "what does not change spoils nothing"
