"""The model against an even simpler oracle: one channel at a time, with Python's own integers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from triptych.bitsys import cells, model, vectors
from triptych.errors import ParameterError

READINGS: list[model.Reading] = ["unsigned", "signed", "bipolar"]


def number(field: int, width: int, reading: str) -> int:
    if reading == "bipolar":
        return 1 if field else -1
    return field - (1 << width) if reading == "signed" and field >= 1 << (width - 1) else field


def slow_products(a: int, b: int, n: int, combination: model.Combination) -> int:
    p, packed = combination.width, 0
    for c in range(n // p):
        x = number(a >> c * p & (1 << p) - 1, p, combination.a)
        y = number(b >> c * p & (1 << p) - 1, p, combination.b)
        packed += (x * y) % (1 << 2 * p) << 2 * p * c
    return packed


@st.composite
def cases(draw: st.DrawFn) -> tuple[int, int, int, model.Combination]:
    n = draw(st.sampled_from(model.CONTAINERS))
    combination = draw(st.sampled_from(model.combinations([w for w in (1, 2, 4, 8, 16) if w <= n])))
    operand = st.integers(0, (1 << n) - 1)
    return draw(operand), draw(operand), n, combination


@given(cases())
def test_products_equal_the_slow_oracle(case: tuple[int, int, int, model.Combination]) -> None:
    a, b, n, combination = case
    assert int(model.products(np.array(a), np.array(b), n, combination)) == slow_products(a, b, n, combination)


def slow_value(a: int, b: int, n: int, combination: model.Combination) -> int:
    p = combination.width
    fields = [(a >> c * p & (1 << p) - 1, b >> c * p & (1 << p) - 1) for c in range(n // p)]
    return sum(number(x, p, combination.a) * number(y, p, combination.b) for x, y in fields)


@given(cases())
def test_values_equal_the_slow_oracle(case: tuple[int, int, int, model.Combination]) -> None:
    a, b, n, combination = case
    assert int(model.values(np.array(a), np.array(b), n, combination)) == slow_value(a, b, n, combination)


@given(cases())
def test_products_commute_when_the_readings_are_swapped(case: tuple[int, int, int, model.Combination]) -> None:
    a, b, n, c = case
    swapped = model.Combination(c.width, c.b, c.a, c.b_signed, c.a_signed)
    assert model.products(np.array(a), np.array(b), n, c) == model.products(np.array(b), np.array(a), n, swapped)


@given(st.sampled_from([1, 2, 4, 8]), st.sampled_from(["unsigned", "signed"]), st.integers(0, 255))
def test_encoding_what_was_decoded_gives_the_container_back(width: int, reading: model.Reading, word: int) -> None:
    assert model.encode(model.decode(np.array(word), 8, width, reading), width) == word


def test_known_products() -> None:
    eight = model.Combination(8, "signed", "signed", a_signed=True, b_signed=True)
    assert model.products(np.array(0x80), np.array(0x80), 8, eight) == 0x4000  # -128 × -128
    bipolar = next(c for c in model.combinations([1]) if c.a == "bipolar")
    assert model.products(np.array(0b1100), np.array(0b1010), 4, bipolar) == 0b01_11_11_01  # +1, -1, -1, +1


def test_there_are_seventeen_combinations_and_the_last_of_width_one_is_asked_for_as_unsigned() -> None:
    combinations = model.combinations([1, 2, 4, 8])
    assert len(combinations) == 17
    assert len({c.label for c in combinations}) == 17
    twos = next(c for c in combinations if c.width == 1 and c.a == c.b == "signed")
    assert (twos.a_signed, twos.b_signed) == (False, False)


@given(st.integers(0, 255), st.integers(0, 255))
def test_single_bits_in_twos_complement_have_the_products_of_unsigned_ones(a: int, b: int) -> None:
    by_label = {c.label: c for c in model.combinations([1])}
    x, y = np.array(a), np.array(b)
    assert model.products(x, y, 8, by_label["1b signed×signed"]) == model.products(
        x, y, 8, by_label["1b unsigned×unsigned"]
    )


@pytest.mark.parametrize(("n", "widths"), [(5, [1]), (8, []), (8, [3]), (8, [16]), (8, [0, 2]), (4, [2, 2])])
def test_what_the_hardware_would_refuse_is_refused_with_its_value(n: int, widths: list[int]) -> None:
    with pytest.raises(ParameterError) as failure:
        model.check(n, widths)
    assert str(n if n == 5 else widths) in str(failure.value)


@pytest.mark.parametrize(("width", "count"), [(1, 8), (2, 16), (4, 32), (8, 64)])
def test_active_cells_of_the_eight_bit_array(width: int, count: int) -> None:
    active = cells.active(8, width)
    assert active.sum() == count
    assert (active == active.T).all()


@given(cases())
def test_signed_partial_products_of_active_cells_sum_to_the_product(
    case: tuple[int, int, int, model.Combination],
) -> None:
    """Ties the picture of the array to the arithmetic: weight 2^(i+j), negative where `negative` says so."""
    a, b, n, c = case
    if c.a == "bipolar" or c.a_signed != (c.a == "signed"):
        return
    sums = [0] * (n // c.width)
    negative = cells.negative(n, c.width, c.a_signed, c.b_signed)
    for i, j in np.argwhere(cells.active(n, c.width)):
        inside = int(i % c.width + j % c.width)
        sums[i // c.width] += (-1 if negative[i, j] else 1) * (a >> int(j) & 1) * (b >> int(i) & 1) << inside
    assert model.encode(np.array(sums), 2 * c.width) == model.products(np.array(a), np.array(b), n, c)


def perfect(stimulus: vectors.Stimulus, latency: int) -> vectors.Response:
    products = vectors.expected(8, [1, 2, 4, 8], stimulus)
    return vectors.Response(
        vectors.survives(stimulus, latency),
        stimulus.last,
        stimulus.a_signed,
        stimulus.b_signed,
        stimulus.mode,
        products,
        latency,
    )


@pytest.mark.parametrize("field", ["valid", "last", "a_signed", "b_signed", "mode", "product"])
def test_one_wrong_bit_in_any_output_is_a_mismatch(field: str) -> None:
    stimulus = vectors.scattered(8, [1, 2, 4, 8], 200, np.random.default_rng(0), gaps=0)
    answer = perfect(stimulus, 17)
    expected = vectors.expected(8, [1, 2, 4, 8], stimulus)
    assert not vectors.mismatches(stimulus, answer, expected).any()
    values = getattr(answer, field).copy()
    values[100] ^= 1
    changed = vectors.Response(**{**vars(answer), field: values})
    assert np.flatnonzero(vectors.mismatches(stimulus, changed, expected)).tolist() == [100]


def test_a_reset_kills_the_tokens_of_the_last_latency_cycles() -> None:
    stimulus = vectors.scattered(8, [1, 2, 4, 8], 60, np.random.default_rng(0), gaps=0)
    stimulus.rst_n[30] = False
    assert np.flatnonzero(~vectors.survives(stimulus, 17)).tolist() == list(range(14, 31))


def slow_sums(stimulus: vectors.Stimulus, acc_width: int) -> list[int]:
    widths, total, sums = [1, 2, 4, 8], 0, list[int]()
    by_request = {(c.width, c.a_signed, c.b_signed): c for c in reversed(model.combinations(widths))}
    for t in range(len(stimulus)):
        if stimulus.valid[t]:
            request = (widths[stimulus.mode[t]], bool(stimulus.a_signed[t]), bool(stimulus.b_signed[t]))
            total += slow_value(int(stimulus.a[t]), int(stimulus.b[t]), 8, by_request[request])
        sums.append(total % (1 << acc_width))
        if not stimulus.rst_n[t] or (stimulus.valid[t] and stimulus.last[t]):
            total = 0
    return sums


@pytest.mark.parametrize("acc_width", [16, 32])
def test_dot_products_equal_the_slow_oracle(acc_width: int) -> None:
    rng = np.random.default_rng(4)
    traffic = vectors.scattered(8, [1, 2, 4, 8], 2000, rng, gaps=0.3)
    stimulus = replace(traffic, rst_n=rng.random(2000) >= 0.02)
    assert vectors.expected_sums(8, [1, 2, 4, 8], stimulus, acc_width).tolist() == slow_sums(stimulus, acc_width)


@pytest.mark.parametrize("field", ["valid", "a_signed", "b_signed", "mode", "product"])
def test_one_wrong_bit_of_a_sum_is_a_mismatch(field: str) -> None:
    stimulus = vectors.scattered(8, [1, 2, 4, 8], 200, np.random.default_rng(0), gaps=0)
    sums = vectors.expected_sums(8, [1, 2, 4, 8], stimulus, 32)
    closed = vectors.survives(stimulus, 22) & stimulus.last
    tag = (stimulus.a_signed, stimulus.b_signed, stimulus.mode)
    answer = vectors.Response(closed, closed, *tag, sums, 22)
    assert not vectors.sum_mismatches(stimulus, answer, sums).any()
    row = int(np.flatnonzero(closed)[5])
    values = getattr(answer, field).copy()
    values[row] ^= 1
    changed = vectors.Response(**{**vars(answer), field: values})
    assert np.flatnonzero(vectors.sum_mismatches(stimulus, changed, sums)).tolist() == [row]
