"""Paired tests against formulas written out, statsmodels, and full enumeration."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from legal_rag_tables import correlated, factorial
from scipy.stats import chi2
from statsmodels.stats.contingency_tables import SquareTable, cochrans_q
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar
from statsmodels.stats.multitest import multipletests

from triptych.errors import DataError, ParameterError
from triptych.legal_rag import paired, power, runs


def series(both: int, first: int, second: int, neither: int) -> tuple[np.ndarray, np.ndarray]:
    return (
        np.repeat([1, 1, 0, 0], [both, first, second, neither]),
        np.repeat([1, 0, 1, 0], [both, first, second, neither]),
    )


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 9), st.integers(0, 9), st.integers(0, 9), st.integers(0, 9))
def test_mcnemar_is_the_binomial_sum(both, first, second, neither):
    if both + first + second + neither == 0:
        return
    found = paired.mcnemar(*series(both, first, second, neither))
    n = first + second
    tail = sum(math.comb(n, k) for k in range(min(first, second) + 1)) / 2**n
    assert found.p == pytest.approx(min(1.0, 2 * tail), abs=1e-12)
    assert (found.only_first, found.only_second) == (first, second)
    table = np.array([[both, first], [second, neither]])
    assert found.p == pytest.approx(statsmodels_mcnemar(table, exact=True).pvalue, abs=1e-12)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(*[st.integers(0, 1)] * 4), min_size=3, max_size=30))
def test_cochran_agrees_with_statsmodels_and_two_arms_with_mcnemars_chi2(rows):
    values = np.array(rows)
    found = paired.cochran(pd.DataFrame(values))
    if (values.min(axis=1) == values.max(axis=1)).all():
        assert (found.q, found.p) == (0.0, 1.0)
        return
    same = cochrans_q(values)
    assert (found.q, found.p) == pytest.approx((same.statistic, same.pvalue), abs=1e-10)
    b, c = ((values[:, i] > values[:, 1 - i]).sum() for i in (0, 1))
    if b + c:
        assert paired.cochran(pd.DataFrame(values[:, :2])).q == pytest.approx((b - c) ** 2 / (b + c), abs=1e-10)


@settings(max_examples=10, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_is_statsmodels_holm(p_values):
    assert paired.holm(p_values) == pytest.approx(multipletests(p_values, method="holm")[1], abs=1e-12)


def test_pairs_of_arms_and_generators_within_retrievers():
    frame = factorial(correlated(60, [0.95, 0.6, 0.8, 0.8, 0.7, 0.7], seed=1))
    pairs = paired.all_pairs(runs.wide(frame, "correct"))
    assert len(pairs) == 15
    assert (pairs["p_holm"] >= pairs["p"]).all()
    within = paired.generator_within_retriever(frame, "correct")
    assert within["retriever"].tolist() == ["alpha", "beta", "gamma"]
    means = frame["correct"].astype(float).groupby([frame["retriever"], frame["generator"]]).mean()
    assert within["difference"][0] == pytest.approx(means["alpha", "one"] - means["alpha", "two"])
    assert within["p_holm"][0] < 0.05


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000), margin=st.floats(0.01, 0.3))
def test_equivalence_exactly_when_the_90_percent_interval_lies_inside(seed, margin):
    a, b = correlated(50, [0.7, 0.75], seed).T.astype(float)
    found = paired.equivalence(a, b, margin)
    if abs(max(abs(found.low), abs(found.high)) - margin) > 1e-6:
        assert (found.p < 0.05) == (-margin < found.low and found.high < margin)
    assert paired.equivalence(a, b, found.margin_needed).p == pytest.approx(0.05, abs=1e-9)


def test_equivalence_without_any_difference_uses_the_rule_of_three():
    same = np.ones(100)
    found = paired.equivalence(same, same, 0.05)
    assert found.p == pytest.approx(0.95**100)
    assert found.margin_needed == pytest.approx(0.0295, abs=1e-4)  # "3 / n"
    with pytest.raises(DataError, match="same amount"):
        paired.equivalence(same, same - 1, 0.05)
    with pytest.raises(ParameterError, match="margin"):
        paired.equivalence(same, same, 0)


def test_bootstrap_covers_a_known_difference_within_monte_carlo_error():
    draws, covered = 120, 0
    for seed in range(draws):
        a, b = correlated(80, [0.85, 0.7], seed).T
        found = paired.bootstrap(a, b, draws=300, seed=seed)
        covered += found.low <= 0.15 <= found.high
    assert abs(covered / draws - 0.95) < 4 * math.sqrt(0.95 * 0.05 / draws)
    assert paired.bootstrap([1, 0], [1, 0]) == paired.Interval(0.0, 0.0, 0.0)


KINDS = ("correct", "hallucination", "reasoning error")


def kinds_of(counts: np.ndarray) -> tuple[list[str], list[str]]:
    pairs = [(KINDS[i], KINDS[j]) for i, j in itertools.product(range(3), repeat=2) for _ in range(counts[i, j])]
    return [a for a, _ in pairs], [b for _, b in pairs]


def test_kinds_agree_with_statsmodels_where_every_pair_swaps():
    counts = np.array([[40, 9, 4], [3, 20, 6], [5, 2, 11]])
    found = paired.kinds(*kinds_of(counts))
    square = SquareTable(counts, shift_zeros=False)
    assert (found.bowker, found.bowker_p) == pytest.approx((square.symmetry().statistic, square.symmetry().pvalue))
    same = square.homogeneity()
    assert (found.stuart_maxwell, found.stuart_maxwell_p) == pytest.approx((same.statistic, same.pvalue))
    assert (found.bowker_df, found.stuart_maxwell_df) == (3, 2)


def test_kinds_with_rare_swaps():
    found = paired.kinds(*kinds_of(np.array([[40, 9, 0], [3, 20, 0], [0, 0, 11]])))
    assert (found.bowker_df, found.stuart_maxwell_df) == (1, 1)
    assert found.bowker == pytest.approx(36 / 12)  # McNemar's χ² of the only pair that swaps
    assert found.stuart_maxwell == pytest.approx(36 / 12)
    assert found.bowker_p == pytest.approx(chi2.sf(3, 1))
    still = paired.kinds(["correct"] * 5, ["correct"] * 5)
    assert (still.bowker_p, still.stuart_maxwell_p) == (1.0, 1.0)
    with pytest.raises(ParameterError, match="equally long"):
        paired.kinds(["a"], [])


# --- power ------------------------------------------------------------------------------------------------------------


def enumerated(n: int, discordance: float, difference: float) -> float:
    """Power by summing the multinomial over every table (only first, only second): 5,151 tables at n = 100."""
    p10, p01 = (discordance + difference) / 2, (discordance - difference) / 2
    total = 0.0
    for b in range(n + 1):
        for c in range(n + 1 - b):
            tail = sum(math.comb(b + c, k) for k in range(min(b, c) + 1)) / 2 ** (b + c)
            if min(1.0, 2 * tail) <= 0.05:
                total += math.comb(n, b) * math.comb(n - b, c) * p10**b * p01**c * (1 - discordance) ** (n - b - c)
    return total


@pytest.mark.parametrize(("discordance", "difference"), [(0.1, 0.09), (0.2, 0.13), (0.3, 0.0)])
def test_power_is_the_sum_over_every_table(discordance, difference):
    exact = enumerated(100, discordance, difference)
    assert power.mcnemar_power(100, discordance, difference) == pytest.approx(exact, abs=1e-10)
    found = power.simulate(100, discordance, difference, draws=20_000)
    assert abs(found.power - exact) < 4 * math.sqrt(exact * (1 - exact) / found.draws)


def test_a_hundred_questions_detect_what_the_design_says():
    """80 % power at 10 / 15 / 20 / 25 / 30 % discordance, to the nearest half point."""
    found = [round(200 * power.detectable(100, psi)) / 2 for psi in (0.10, 0.15, 0.20, 0.25, 0.30)]
    assert found == [9, 11, 13, 14.5, 16]


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 150), st.floats(0.01, 0.6))
def test_the_exact_test_never_rejects_more_than_it_may(n, discordance):
    assert power.mcnemar_power(n, discordance, 0.0) <= 0.05


def test_power_grid_and_limits():
    assert power.detectable(5, 0.1) is None
    assert power.mcnemar_power(10, 0.0, 0.0) == 0
    assert power.questions_needed(0.2, 0.13) == pytest.approx(100, abs=6)
    assert power.questions_needed(0.4, 0.001, most=500) is None
    assert len(power.curve(20, [0.1, 0.2], [0.05, 0.15])) == 3
    with pytest.raises(ParameterError, match="cannot be"):
        power.mcnemar_power(100, 0.1, 0.2)
