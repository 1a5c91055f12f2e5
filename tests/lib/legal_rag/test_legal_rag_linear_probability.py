"""The linear probability model: a published clustered example, an independent sandwich, exact small-sample facts."""

from __future__ import annotations

from importlib import resources

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from legal_rag_tables import GENERATORS, RETRIEVERS, correlated, factorial, row
from scipy.stats import chi2

from triptych.errors import DataError, ParameterError
from triptych.legal_rag import linear_probability as lpm
from triptych.legal_rag import runs
from triptych.legal_rag.linear_probability import Model


def sandwich(x: np.ndarray, y: np.ndarray, groups: np.ndarray, corrected: bool) -> tuple[np.ndarray, np.ndarray]:
    """Least squares and the clustered covariance (Liang and Zeger 1986; factor of Stata's `regress`), numpy only."""
    bread = np.linalg.inv(x.T @ x)
    slopes = bread @ x.T @ y
    scores = x * (y - x @ slopes)[:, None]
    summed = np.stack([scores[groups == group].sum(axis=0) for group in np.unique(groups)])
    n, k, g = *x.shape, len(summed)
    factor = g / (g - 1) * (n - 1) / (n - k) if corrected else 1.0
    return slopes, factor * bread @ summed.T @ summed @ bread


def design(frame: pd.DataFrame, coding: str) -> tuple[np.ndarray, list[str]]:
    """The design matrix written out by hand: intercept, question dummies, then the factors' codes and products."""

    def codes(name: str, levels: tuple[str, ...]) -> np.ndarray:
        place = np.array([levels.index(value) for value in frame[name]])
        if coding == "treatment":
            return np.eye(len(levels))[place][:, 1:]
        return np.vstack([np.eye(len(levels) - 1), -np.ones(len(levels) - 1)])[place]

    r, g = codes("retriever", RETRIEVERS), codes("generator", GENERATORS)
    questions = pd.get_dummies(frame["question"], drop_first=True).to_numpy(dtype=float)
    products = r * g
    x = np.column_stack([np.ones(len(frame)), questions, r, g, products])
    names = ["other"] * (1 + questions.shape[1]) + ["retriever"] * 2 + ["generator"] + ["interaction"] * 2
    return x, names


def petersen() -> pd.DataFrame:
    """Petersen's panel of 500 firms over 10 years, as installed with statsmodels."""
    path = resources.files("statsmodels.stats.tests") / "test_data.txt"
    return pd.read_csv(str(path), sep=r"\s+", header=None, names=["firm", "year", "x", "y"])


# www.kellogg.northwestern.edu/faculty/petersen/htm/papers/se/test_data.htm: constant and X, coefficient and SE
PETERSEN = {"firm": ("0.0670", "0.0506"), "year": ("0.0234", "0.0334")}


@pytest.mark.parametrize("by", ["firm", "year"])
def test_petersens_panel_to_every_printed_digit(by: str):
    data = petersen()
    x = sm.add_constant(data[["x"]].to_numpy())
    fitted = lpm.clustered(sm.OLS(data["y"].to_numpy(), x), data[by].to_numpy())
    own, covariance = sandwich(x, data["y"].to_numpy(), data[by].to_numpy(), corrected=True)
    for slopes, errors in ((fitted.params, fitted.bse), (own, np.sqrt(np.diag(covariance)))):
        assert [f"{value:.4f}" for value in slopes] == ["0.0297", "1.0348"]
        assert tuple(f"{value:.4f}" for value in errors) == PETERSEN[by]
        assert f"{slopes[1] / errors[1]:.2f}" == {"firm": "20.45", "year": "30.99"}[by]


@pytest.mark.parametrize("coding", ["sum", "treatment"])
@pytest.mark.parametrize("cluster", ["question", "gold"])
@pytest.mark.parametrize("corrected", [True, False])
def test_against_an_independent_sandwich(coding, cluster, corrected):
    frame = factorial(correlated(60, [0.95, 0.9, 0.8, 0.75, 0.7, 0.72], seed=3))
    fitted = lpm.fit(frame, "correct", Model(coding=coding, cluster=cluster, correction=corrected))
    x, names = design(frame, coding)
    slopes, covariance = sandwich(x, runs.outcome(frame, "correct"), frame[cluster].to_numpy(), corrected)
    for _, test in fitted.wald().iterrows():
        places = [place for place, name in enumerate(names) if name == test["effect"]]
        part = slopes[places]
        value = part @ np.linalg.inv(covariance[np.ix_(places, places)]) @ part
        assert test["chi2"] == pytest.approx(value, abs=1e-8)
        assert test["df"] == len(places)
        assert test["p"] == pytest.approx(chi2.sf(value, len(places)), abs=1e-10)


@pytest.mark.parametrize("model", [Model(), Model(coding="treatment"), Model(absorb=True)])
def test_simple_effects_are_differences_of_cell_means(model):
    frame = factorial(correlated(40, [0.9, 0.7, 0.8, 0.8, 0.6, 0.75], seed=5))
    means = frame["correct"].astype(float).groupby([frame["retriever"], frame["generator"]]).mean()
    fitted = lpm.fit(frame, "correct", model)
    for _, found in fitted.simple_effects().iterrows():
        wanted = means[found["retriever"], "one"] - means[found["retriever"], "two"]
        assert found["difference"] == pytest.approx(wanted, abs=1e-10)
    for _, found in fitted.retriever_contrasts().iterrows():
        wanted = means[found["first"], found["generator"]] - means[found["second"], found["generator"]]
        assert found["difference"] == pytest.approx(wanted, abs=1e-10)


def test_coding_changes_main_effects_and_nothing_else():
    frame = factorial(correlated(50, [0.9, 0.7, 0.8, 0.8, 0.6, 0.75], seed=7))
    by_sum, by_treatment = (lpm.fit(frame, "correct", Model(coding=c)) for c in ("sum", "treatment"))
    a, b = by_sum.wald().set_index("effect")["chi2"], by_treatment.wald().set_index("effect")["chi2"]
    assert a["interaction"] == pytest.approx(b["interaction"], abs=1e-9)
    assert abs(a["generator"] - b["generator"]) > 0.01
    pd.testing.assert_frame_equal(by_sum.simple_effects(), by_treatment.simple_effects())
    simple = by_treatment.simple_effects().set_index("retriever")["chi2"]
    assert b["generator"] == pytest.approx(simple["alpha"], abs=1e-9)  # the reference level's simple effect


def test_in_a_complete_factorial_the_variants_differ_by_constants_alone():
    """So no choice of robust covariance can rescue or sink a finding by more than its known factor."""
    n = 50
    frame = factorial(correlated(n, [0.9, 0.7, 0.8, 0.8, 0.6, 0.75], seed=9))
    plain = lpm.fit(frame, "correct", Model(correction=False)).wald()["chi2"].to_numpy()
    for model, factor in (
        (Model(), n / (n - 1) * (6 * n - 1) / (6 * n - n - 5)),
        (Model(absorb=True), n / (n - 1) * (6 * n - 1) / (6 * n - 5)),
        (Model(covariance="cluster-crv3", absorb=True), n / (n - 1)),
        (Model(covariance="cluster-jk", absorb=True), n / (n - 1)),
    ):
        assert lpm.fit(frame, "correct", model).wald()["chi2"].to_numpy() == pytest.approx(plain / factor, rel=1e-9)


def test_jackknife_by_leaving_questions_out():
    frame = factorial(correlated(20, [0.9, 0.6, 0.8, 0.7, 0.6, 0.75], seed=11))
    fitted = lpm.fit(frame, "correct", Model(covariance="cluster-jk", absorb=True))
    left = np.stack(
        [
            lpm.fit(frame[frame["question"] != q].reset_index(drop=True), "correct", Model(absorb=True)).slopes
            for q in frame["question"].unique()
        ]
    )
    centred = left - left.mean(axis=0)
    assert fitted.covariance == pytest.approx(19 / 20 * centred.T @ centred, abs=1e-12)


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 10_000), order=st.permutations(range(30 * 6)))
def test_order_of_rows_and_names_do_not_matter(seed, order):
    frame = factorial(correlated(30, [0.85, 0.7, 0.8, 0.65, 0.6, 0.75], seed=seed))
    odd = frame.assign(retriever=frame["retriever"].map({"alpha": "a[T.x]:b", "beta": "C(q)", "gamma": "1"}))
    first = lpm.fit(frame, "correct").wald()
    shuffled = lpm.fit(odd.iloc[list(order)].reset_index(drop=True), "correct").wald()
    assert shuffled["chi2"].to_numpy() == pytest.approx(first["chi2"].to_numpy(), rel=1e-6, abs=1e-9)


def test_coverage_of_the_clustered_interval():
    """2,000 simulated tables of 100 questions: 95 % intervals cover the true difference within Monte-Carlo error."""
    shares, n, draws = [0.9, 0.8, 0.75, 0.7, 0.7, 0.6], 100, 2000
    gaps = np.stack([np.subtract(*correlated(n, shares, seed)[:, :2].T) for seed in range(draws)])
    factor = n / (n - 1) * (6 * n - 1) / (6 * n - 5)
    errors = np.sqrt(factor * gaps.var(axis=1) / n)
    found = lpm.fit(factorial(correlated(n, shares, 0)), "correct", Model(absorb=True)).simple_effects().iloc[0]
    assert (found["difference"], found["se"]) == pytest.approx((gaps[0].mean(), errors[0]), abs=1e-12)
    covered = (np.abs(gaps.mean(axis=1) - 0.1) <= 1.959964 * errors).mean()
    assert abs(covered - 0.95) < 4 * np.sqrt(0.95 * 0.05 / draws)


def test_gee_agrees_with_statsmodels_by_formula_and_names_a_flat_cell():
    frame = factorial(correlated(80, [0.9, 0.8, 0.75, 0.7, 0.7, 0.6], seed=13))
    found = lpm.gee(frame, "correct")
    import statsmodels.formula.api as smf

    data = frame.assign(y=frame["correct"].astype(int))
    same = smf.gee(
        "y ~ C(retriever, Sum) * C(generator, Sum)",
        "question",
        data,
        family=sm.families.Binomial(),
        cov_struct=sm.cov_struct.Exchangeable(),
    ).fit(cov_type="bias_reduced")
    assert found.wald.set_index("effect").loc["generator", "chi2"] == pytest.approx(
        float(same.tvalues["C(generator, Sum)[S.one]"]) ** 2, rel=1e-6
    )
    assert 0 < found.correlation < 1
    flat = correlated(80, [0.9, 0.8, 0.75, 0.7, 0.7, 0.6], seed=13)
    flat[:, 0] = 1
    with pytest.raises(DataError, match="every answer of alpha × one is right"):
        lpm.gee(factorial(flat), "correct")


def test_what_cannot_be_fitted_says_why():
    with pytest.raises(ParameterError, match="leaves out whole clusters"):
        Model(covariance="cluster-crv3")
    with pytest.raises(DataError, match="two or more levels of generator"):
        lpm.fit(runs.table(row(q, r) for q in "abcd" for r in "xy"), "correct")
    frame = factorial(correlated(10, [0.9, 0.5, 0.8, 0.6, 0.5, 0.7], seed=1))
    with pytest.raises(DataError, match="no run in the cell gamma × two"):
        lpm.fit(frame[(frame["retriever"] != "gamma") | (frame["generator"] != "two")], "correct")
    with pytest.raises(DataError, match="three or more clusters"):
        lpm.fit(frame[frame["question"].isin(["q000", "q001"])], "correct")
    with pytest.raises(DataError, match="no gold passage"):
        lpm.fit(frame.assign(gold=None), "correct", Model(cluster="gold"))
    assert "clustered on gold passage" not in set(lpm.variants(frame.assign(gold=None), "correct")["variant"])
    assert set(lpm.variants(frame, "correct")["variant"]) == set(lpm.VARIANTS)


@pytest.mark.parametrize("name", ["judge", "chunker", "phrasing"])
def test_the_same_runs_under_a_second_name_are_refused(name: str):
    """Entered twice, they would shrink the standard errors of the dummies' model and prove nothing more."""
    frame = factorial(correlated(40, [0.9, 0.8, 0.7, 0.75, 0.7, 0.6], seed=9), **{name: "first"})
    twice = pd.concat([frame, frame.assign(**{name: "second"})], ignore_index=True)
    for fit in (lpm.fit, lpm.gee, lpm.variants):
        with pytest.raises(ParameterError, match=f"2 values of {name}"):
            fit(twice, "correct")
    kept = twice[twice[name] == "second"].reset_index(drop=True)
    assert lpm.fit(kept, "correct").wald().equals(lpm.fit(frame, "correct").wald())
