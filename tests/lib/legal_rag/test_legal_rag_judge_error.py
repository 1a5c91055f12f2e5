"""Agreement on worked examples; corrections for judge error by simulation with known truth.

The printed figures of irrCAC's and epiR's documentation and of Gwet (2002) were written down from memory: the sources
could not be opened here, so no page is cited. Each value is therefore also re-derived by arithmetic below, except the
standard error of AC1 on the four judges, which only has the remembered figure. Lang and Reiczigel's interval has no
worked example here; its coverage is simulated.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta, norm

from triptych.errors import DataError, ParameterError
from triptych.legal_rag import agreement, judge_error
from triptych.legal_rag.judge_error import Checked

# Krippendorff's example of 4 raters and 12 units, data set cac.raw4raters of Gwet's irrCAC. As remembered, its
# documentation prints AC1 0.77544 with standard error 0.14295, and Krippendorff's α 0.74342.
FOUR = (
    (1, 2, 3, 3, 2, 1, 4, 1, 2, None, None, None),
    (1, 2, 3, 3, 2, 2, 4, 1, 2, 5, None, 3),
    (None, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, None),
    (1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, None),
)


def from_table(table: list[list[int]]) -> tuple[list[int], list[int]]:
    pairs = [(i, j) for i, row in enumerate(table) for j, count in enumerate(row) for _ in range(count)]
    return [a for a, _ in pairs], [b for _, b in pairs]


def test_gwets_and_krippendorffs_published_example():
    found = agreement.gwet_ac1(FOUR)
    assert (round(found.value, 5), round(found.error, 5)) == (0.77544, 0.14295)
    assert round(agreement.krippendorff_alpha(FOUR).value, 5) == 0.74342
    units = [[value for value in unit if value is not None] for unit in zip(*FOUR, strict=True)]
    pairs = [[(a, b) for i, a in enumerate(unit) for j, b in enumerate(unit) if i != j] for unit in units]
    agreed = [sum(a == b for a, b in each) / len(each) for each in pairs if each]
    used = [[unit.count(k) / len(unit) for unit in units] for k in range(1, 6)]
    chance = sum(math.fsum(share) / 12 * (1 - math.fsum(share) / 12) for share in used) / 4
    observed = sum(agreed) / len(agreed)
    assert found.value == pytest.approx((observed - chance) / (1 - chance), abs=1e-12)
    values = [value for unit in units if len(unit) > 1 for value in unit]  # α: only units with two verdicts or more
    apart = sum(sum(a != b for a, b in each) / (len(unit) - 1) for each, unit in zip(pairs, units, strict=True) if each)
    by_chance = sum(a != b for a in values for b in values) / (len(values) - 1)
    assert agreement.krippendorff_alpha(FOUR).value == pytest.approx(1 - apart / by_chance, abs=1e-12)


def test_the_abstractors_table_of_irrcac():
    """cont3x3abstractors: its vignette, as remembered, prints κ 0.7964094, SE 0.05891072; κ again by arithmetic."""
    judges = from_table([[13, 0, 0], [0, 20, 7], [0, 4, 56]])
    kappa = agreement.cohen_kappa(*judges)
    assert kappa.value == pytest.approx(0.7964094, abs=5e-8)
    rows, columns = np.array([13, 27, 60]) / 100, np.array([13, 24, 63]) / 100
    assert kappa.value == pytest.approx((0.89 - rows @ columns) / (1 - rows @ columns), abs=1e-12)
    assert kappa.error == pytest.approx(0.05891072, abs=5e-4)  # irrCAC divides by n − 1 where statsmodels divides by n
    ac1 = agreement.gwet_ac1(judges)
    shares = np.array([26, 51, 123]) / 200  # means of the two margins: 13+13, 27+24, 60+63
    chance = float((shares * (1 - shares)).sum() / 2)
    assert ac1.value == pytest.approx((0.89 - chance) / (1 - chance), abs=1e-12)


def test_the_kappa_paradox():
    """Gwet (2002): 118 and 0 of 125 agreed, 5 and 2 not. κ below 0 at 94 % agreement; AC1 0.94."""
    judges = from_table([[118, 5], [2, 0]])
    assert agreement.cohen_kappa(*judges).value == pytest.approx(-0.0234, abs=5e-5)
    assert agreement.gwet_ac1(judges).value == pytest.approx(0.9408, abs=5e-5)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=3, max_size=40))
def test_agreement_keeps_its_bounds_and_forgets_the_names(pairs):
    first, second = [a for a, _ in pairs], [b for _, b in pairs]
    found = agreement.gwet_ac1([first, second], categories=3)
    assert -1 <= found.low <= found.value + 1e-12
    assert found.value <= 1 + 1e-12
    assert found.value == pytest.approx(
        agreement.gwet_ac1([["cab"[a] for a in first], ["cab"[b] for b in second]], categories=3).value
    )
    assert (found.value == pytest.approx(1)) == (first == second)


def test_agreement_that_is_not_defined_says_so():
    same = [True] * 5
    for function in (lambda: agreement.cohen_kappa(same, same), lambda: agreement.krippendorff_alpha([same, same])):
        with pytest.raises(DataError, match="not defined"):
            function()
    assert agreement.gwet_ac1([same, same]).value == 1
    assert agreement.summary([same, same])["value"].isna().any()
    with pytest.raises(ParameterError, match="two or more judges"):
        agreement.gwet_ac1([same])
    with pytest.raises(DataError, match="fewer than two items"):
        agreement.gwet_ac1([[1, None], [None, 2]])
    table = agreement.summary([[1, 0, 1, 1], [1, 0, 0, 1]], draws=50)
    assert table["name"].tolist() == ["Cohen κ", "Gwet AC1", "Krippendorff α"]
    assert (table["low"] <= table["value"]).all()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 60), st.integers(1, 60))
def test_exact_intervals_are_clopper_and_pearsons(successes, trials):
    successes = min(successes, trials)
    low, high = agreement.exact_interval(successes, trials)
    assert low == pytest.approx(beta.ppf(0.025, successes, trials - successes + 1) if successes else 0.0)
    assert high == pytest.approx(beta.ppf(0.975, successes + 1, trials - successes) if successes < trials else 1.0)


# --- judge error ------------------------------------------------------------------------------------------------------


def test_rogan_gladen_on_the_brucellosis_example():
    """23 of 150 positive, sensitivity 0.96, specificity 0.89: 5.1 per 100, as remembered from epiR's epi.prev."""
    assert round(100 * judge_error.rogan_gladen(23 / 150, 0.96, 0.89), 1) == 5.1
    assert judge_error.rogan_gladen(23 / 150, 0.96, 0.89) == pytest.approx((23 / 150 - 0.11) / 0.85, abs=1e-12)


@settings(max_examples=40, deadline=None)
@given(st.floats(0, 1), st.floats(0.6, 1), st.floats(0.6, 1))
def test_rogan_gladen_undoes_what_a_judge_does(truth, sensitivity, specificity):
    apparent = truth * sensitivity + (1 - truth) * (1 - specificity)
    assert judge_error.rogan_gladen(apparent, sensitivity, specificity) == pytest.approx(truth, abs=1e-9)


def test_a_coin_cannot_be_corrected():
    with pytest.raises(DataError, match="no better than a coin"):
        judge_error.rogan_gladen(0.5, 0.5, 0.5)
    with pytest.raises(ParameterError, match="not a proportion"):
        Checked(3, 2)


def binomial(random: np.random.Generator, n: int, p: float) -> Checked:
    return Checked(int(random.binomial(n, p)), n)


@pytest.mark.parametrize(
    ("truth", "sensitivity", "specificity"), [(0.8, 0.95, 0.9), (0.95, 0.9, 0.75), (0.5, 0.8, 0.8)]
)
def test_corrected_share_covers_the_truth(truth, sensitivity, specificity):
    random, draws, covered = np.random.default_rng(4), 1500, 0
    for _ in range(draws):
        judged = random.binomial(100, truth * sensitivity + (1 - truth) * (1 - specificity))
        found = judge_error.corrected_share(
            int(judged), 100, binomial(random, 100, sensitivity), binomial(random, 80, specificity)
        )
        covered += found.low <= truth <= found.high
    assert covered / draws > 0.95 - 4 * math.sqrt(0.95 * 0.05 / draws)
    assert covered / draws < 0.99


@pytest.mark.parametrize("tune", [True, False])
def test_prediction_powered_covers_the_truth_whatever_the_judge(tune):
    random, draws, covered, widths = np.random.default_rng(5), 800, 0, []
    for _ in range(draws):
        truth = random.random(600) < 0.7
        judged = np.where(random.random(600) < 0.9, truth, random.random(600) < 0.9)  # lenient
        found = judge_error.prediction_powered(judged[100:], judged[:100], truth[:100], tune)
        covered += found.low <= 0.7 <= found.high
        widths.append(found.high - found.low)
    assert abs(covered / draws - 0.95) < 4.5 * math.sqrt(0.95 * 0.05 / draws)
    assert np.mean(widths) < 2 * 1.96 * math.sqrt(0.7 * 0.3 / 100)  # narrower than the checked runs alone


def test_a_useless_judge_leaves_the_checked_runs_alone():
    truth, flat = [1, 0, 1, 1, 0, 1], [1.0] * 6
    found = judge_error.prediction_powered([1.0] * 50, flat, truth)
    assert found.value == pytest.approx(np.mean(truth))
    with pytest.raises(ParameterError, match="two or more"):
        judge_error.prediction_powered([1, 0], [1], [1])


def test_headline_covers_and_widens():
    """A true difference of 0.2 seen through a judge with se 0.9, sp 0.8: it shows as 0.14, and is corrected back."""
    random, draws, covered, apparent = np.random.default_rng(6), 150, 0, []
    for seed in range(draws):
        truth = random.random((2, 150)) < np.array([[0.9], [0.7]])
        judged = np.where(truth, random.random((2, 150)) < 0.9, random.random((2, 150)) < 0.2).astype(float)
        checked = binomial(random, 150, 0.9), binomial(random, 150, 0.8)
        found = judge_error.headline(judged[0], judged[1], *checked, draws=600, seed=seed)
        covered += found.corrected.low <= 0.2 <= found.corrected.high
        apparent.append(found.judged.value)
        assert found.corrected.high - found.corrected.low > found.judged.high - found.judged.low
    assert np.mean(apparent) == pytest.approx(0.14, abs=0.02)
    assert abs(covered / draws - 0.95) < 4 * math.sqrt(0.95 * 0.05 / draws)


def test_a_perfect_well_checked_judge_changes_nothing():
    a, b = np.r_[np.ones(80), np.zeros(20)], np.r_[np.ones(70), np.zeros(30)]
    found = judge_error.headline(a, b, Checked(10**7, 10**7), Checked(10**7, 10**7))
    assert found.corrected.value == found.judged.value == pytest.approx(0.1)
    assert found.corrected.low == pytest.approx(found.judged.low, abs=1e-5)


def correlated_arms(random: np.random.Generator, shares: list[float], n: int) -> np.ndarray:
    """Outcomes (n × arms) of these expected shares; the questions' ease is shared by the arms."""
    latent = random.normal(size=(n, 1)) + random.normal(size=(n, len(shares)))
    return (latent / math.sqrt(2) < norm.ppf(shares)).astype(float)


def test_the_largest_of_ten_equal_arms_is_not_taken_for_a_difference():
    """Ten arms without any difference: the best minus the worst is picked from the data, and its interval holds 0."""
    random, draws, misses, naive = np.random.default_rng(7), 250, 0, 0
    sure = Checked(10**7, 10**7)
    for seed in range(draws):
        arms = pd.DataFrame(correlated_arms(random, [0.3] * 10, 88))
        largest = judge_error.pairwise(arms, draws=1000, seed=seed).iloc[0]
        misses += not largest["low"] <= 0 <= largest["high"]
        best, worst = arms.mean().idxmax(), arms.mean().idxmin()
        assert largest["value"] == pytest.approx(arms[best].mean() - arms[worst].mean())
        alone = judge_error.headline(arms[best], arms[worst], sure, sure, draws=400, seed=seed).judged
        naive += not alone.low <= 0 <= alone.high
    assert misses / draws < 0.05 + 4 * math.sqrt(0.95 * 0.05 / draws)
    assert misses > 0  # not by being endlessly wide
    assert naive / draws > 0.4  # what an interval for one named pair does with the largest of forty-five


def test_pairs_cover_true_differences_seen_through_a_judge():
    random, draws, covered, widths = np.random.default_rng(8), 200, 0, []
    truth = pd.Series({"a": 0.9, "b": 0.7, "c": 0.6})
    for seed in range(draws):
        right = correlated_arms(random, truth.tolist(), 150) > 0
        judged = np.where(right, random.random(right.shape) < 0.9, random.random(right.shape) < 0.2).astype(float)
        checked = binomial(random, 150, 0.9), binomial(random, 150, 0.8)
        found = judge_error.pairwise(pd.DataFrame(judged, columns=truth.index), checked, draws=1000, seed=seed)
        wanted = found["first"].map(truth) - found["second"].map(truth)
        covered += ((found["corrected_low"] <= wanted) & (wanted <= found["corrected_high"])).all()
        widths.append((found["corrected_high"] - found["corrected_low"]).mean() / (found["high"] - found["low"]).mean())
    assert abs(covered / draws - 0.95) < 4 * math.sqrt(0.95 * 0.05 / draws)
    assert np.mean(widths) > 1 / 0.7 * 0.95  # divided by se + sp − 1, and no narrower for it


def test_pairs_without_a_calibration_are_not_corrected():
    matrix = pd.DataFrame({"a": [1.0, 1, 1, 0], "b": [0.0, 1, 0, 0], "c": [1.0, 1, 1, 0]})
    found = judge_error.pairwise(matrix)
    assert found[["corrected", "corrected_low", "corrected_high"]].isna().all(axis=None)
    assert (found["first"][0], found["second"][0], found["value"][0]) == ("a", "b", 0.5)
    same = found[(found["first"] == "a") & (found["second"] == "c")].iloc[0]
    assert same["value"] == 0
    assert same["low"] < 0 < same["high"]  # four questions without a discordance prove nothing
    doubtful = judge_error.pairwise(matrix, (Checked(6, 10), Checked(6, 10)))
    assert doubtful["corrected_low"].eq(-1).all()
    assert doubtful["corrected_high"].eq(1).all()
    with pytest.raises(ParameterError, match="two or more arms"):
        judge_error.pairwise(matrix[["a"]])


def test_a_judge_checked_on_more_answers_leaves_less_doubt():
    arms = pd.DataFrame(correlated_arms(np.random.default_rng(9), [0.8, 0.5, 0.4], 90), columns=["a", "b", "c"])
    found = [judge_error.pairwise(arms, (Checked(9 * n, 10 * n), Checked(8 * n, 10 * n))) for n in (3, 10, 1000)]
    assert [table["corrected"].tolist() for table in found] == [pytest.approx((found[0]["value"] / 0.7).tolist())] * 3
    few, more, many = (table["corrected_high"][0] - table["corrected_low"][0] for table in found)
    assert few > more > many
    plain = found[2]["high"][0] - found[2]["low"][0]
    assert many == pytest.approx(plain / 0.7, rel=0.01)  # all that is left is the division
