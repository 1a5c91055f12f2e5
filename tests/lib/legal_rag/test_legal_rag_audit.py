"""The audit: its formula against statsmodels, its solver against enumeration, its findings against witnesses."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2

from triptych.errors import ParameterError
from triptych.legal_rag import audit, published, runs, taxonomy
from triptych.legal_rag import linear_probability as lpm
from triptych.legal_rag.audit import ARMS, Coding, Print
from triptych.legal_rag.linear_probability import Model


def as_runs(outcomes: np.ndarray) -> pd.DataFrame:
    return runs.table(
        {
            "question": f"q{q}",
            "retriever": r,
            "generator": g,
            "correct": bool(outcomes[q, cell]),
            "grounded": True,
            "retrieved": True,
        }
        for q in range(len(outcomes))
        for cell, (r, g) in enumerate(ARMS)
    )


@settings(max_examples=4, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_the_formula_is_the_regressions_wald_test(seed):
    random = np.random.default_rng(seed)
    outcomes = (random.random((25, 6)) < 0.2 + 0.6 * random.random((25, 1))).astype(np.int64)
    frame, factors = as_runs(outcomes), audit.small_sample_factors(25)
    for model, factor, coding in (
        (Model(), "dummies", {}),
        (Model(correction=False), "none", {}),
        (Model(absorb=True), "absorbed", {}),
        (Model(covariance="cluster-jk", absorb=True), "clusters", {}),
        (
            Model(coding="treatment"),
            "dummies",
            {"retriever": Coding(generator=ARMS[0][1]), "generator": Coding(retriever=ARMS[0][0])},
        ),
    ):
        for _, test in lpm.fit(frame, "correct", model).wald().iterrows():
            contrast = audit.contrasts(test["effect"], coding.get(test["effect"], audit.SUM))
            value = audit.wald(outcomes, contrast, factors[factor])
            if np.isfinite(value) and value < 1e6:
                assert test["chi2"] == pytest.approx(value, rel=1e-6, abs=1e-8)


def test_the_published_cells_have_the_published_margins():
    for measure in ("correct", "grounded"):
        cells = published.CELLS[measure]
        for name, values in published.BY_RETRIEVER.items():
            assert values[measure].holds(sum(cells[name, g] for g in published.GENERATORS) / 200)
        for name, values in published.BY_GENERATOR.items():
            assert values[measure].holds(sum(cells[r, name] for r in published.RETRIEVERS) / 300)
    grounded = published.CELLS["grounded"]
    for name, gap in published.GAPS_GROUNDED.items():
        assert grounded[name, "GPT-5.2"] - grounded[name, "Gemini 3.1 Pro"] == gap
    first = published.BY_RETRIEVER["Kanon 2"]
    second = published.BY_RETRIEVER["Text Embedding 3 Large"]
    assert {name: first[name].value - second[name].value for name in published.GAINS} == published.GAINS


SMALL = (2, 2, 2, 1, 1, 1)


def every_small_table(n: int = 3) -> list[np.ndarray]:
    """Every multiset of n patterns whose six sums are SMALL, by exhaustion column by column."""
    columns = [
        [np.isin(np.arange(n), chosen).astype(int) for chosen in itertools.combinations(range(n), k)] for k in SMALL
    ]
    return [np.stack(choice, axis=1) for choice in itertools.product(*columns)]


@pytest.mark.parametrize("effect", ["generator", "interaction", "retriever"])
def test_the_solver_finds_exactly_the_values_that_exhaustion_finds(effect):
    contrast, tables = audit.contrasts(effect), every_small_table()
    values = {round(value, 6) for value in (audit.wald(table, contrast) for table in tables) if np.isfinite(value)}
    given = audit.marginals(SMALL, 3)
    possible = set()
    for moments in audit.candidates(Print(None, len(contrast), None), contrast, given, SMALL, 1.0):
        counts = given.plus(audit._squares(contrast), moments).solve()
        if counts is not None:
            assert counts.sum() == 3
            assert (audit.expand(counts).sum(axis=0) == SMALL).all()
            possible.add(round(audit.wald(audit.expand(counts), contrast), 6))
    assert possible == values
    assert len(values) > 1


def test_printing_agrees_with_rounding():
    said = Print("0.46", 1, ".499")
    values = np.arange(0.40, 0.52, 0.0001)
    for value, agrees in zip(values, said.agrees(values), strict=True):
        assert agrees == (f"{value:.2f}" == "0.46" and f"{chi2.sf(value, 1):.3f}" == "0.499")
    assert Print(None, 2, "<.001").agrees(np.array([13.8, 13.9, np.inf])).tolist() == [False, True, False]


def test_every_reported_statistic_is_answered_with_a_witness_or_a_proof():
    table = audit.attainability()
    ours = table[(table["factor"] == "dummies") & (table["coding"] == "sum")]
    assert ours["attainable"].all()
    assert len(ours) == 5
    assert not table[table["coding"].str.startswith("treatment") & (table["effect"] == "generator")]["attainable"].any()
    grounded = table[(table["measure"] == "grounded") & (table["effect"] == "generator")]
    assert grounded[grounded["attainable"]]["factor"].tolist() == ["dummies"]
    for _, row in table[table["attainable"]].iterrows():
        assert f"{row['value']:.2f}" == row["printed"]


def test_only_one_small_sample_factor_is_left():
    ((low, high),) = audit.common_factors(audit.factor_intervals(low=1.0))
    within = [name for name, value in audit.small_sample_factors().items() if low <= value <= high]
    assert within == ["dummies"]


@pytest.fixture(scope="module")
def witness() -> pd.DataFrame:
    return audit.witness()


def test_the_witness_reproduces_every_published_number(witness):
    for measure in ("correct", "grounded"):
        sums = witness.groupby(["retriever", "generator"])[measure].sum()
        assert sums.to_dict() == published.CELLS[measure]
        found = lpm.fit(witness, measure).wald().set_index("effect")
        for test in published.WALD:
            if test.measure == measure:
                row = found.loc[test.effect]
                assert test.chi2 in (None, f"{row['chi2']:.2f}")
                assert row["p"] < 0.001 if test.p_text == "<.001" else f"{row['p']:.3f}"[1:] == test.p_text
    simple = lpm.fit(witness, "grounded").simple_effects().set_index("retriever")
    assert f"{simple.loc['Kanon 2', 'p']:.3f}"[1:] == published.GAP_P["Kanon 2"]
    wrong = taxonomy.decomposition(witness)
    totals = 100 - wrong[wrong["kind"] == "correct"].set_index(["retriever", "generator"])["runs"]
    for arm, error in published.TOTAL_ERROR.items():
        assert error in (None, totals[arm])
    assert (
        totals[[arm for arm, error in published.TOTAL_ERROR.items() if error is None]].sum()
        == published.UNKNOWN_TOTAL_ERRORS_SUM
    )
    retrieved = witness.groupby("retriever")["retrieved"].mean() * 100
    assert retrieved.to_dict() == {name: row["retrieved"].value for name, row in published.BY_RETRIEVER.items()}


def test_two_witnesses_tell_opposite_stories(witness):
    """The aggregates do not say whether hallucinations follow retrieval misses."""
    other = audit.witness("hits")
    shares = [
        taxonomy.conditional_hallucination(table).groupby("given")["hallucinated"].sum() for table in (witness, other)
    ]
    assert shares[0]["miss"] > shares[0]["hit"]
    assert shares[1]["miss"] < shares[1]["hit"]
    with pytest.raises(ParameterError, match="misses or hits"):
        audit.witness("neither")


def test_extremes_bound_every_table():
    random = np.random.default_rng(8)
    for effect in ("generator", "interaction", "retriever"):
        low, high = audit.extremes(audit.contrasts(effect), audit.sums_of("correct"), directions=61)
        for _ in range(30):
            columns = [random.permutation(np.arange(100) < total) for total in audit.sums_of("correct")]
            value = audit.wald(np.stack(columns, axis=1).astype(np.int64), audit.contrasts(effect))
            assert low - 1e-6 <= value <= high + 1e-6


def test_the_retrievers_effect_is_significant_in_every_possible_table():
    low, _ = audit.extremes(audit.contrasts("retriever"), audit.sums_of("correct"), directions=3)
    assert chi2.sf(low / audit.small_sample_factors()["dummies"], 2) < 0.01


def test_implied_standard_error_and_margin():
    found = audit.implied_by("correct")
    assert round(found.standard_error, 2) == 2.46
    assert found.low < 0 < found.high
    assert found.margin == pytest.approx(5 / 3 + 1.6448536 * found.standard_error)
    with pytest.raises(ParameterError):
        audit.implied(0, 1)


def test_errors_discordance_and_the_judge():
    errors = audit.total_errors().set_index(["retriever", "generator"])
    assert errors.loc[
        ("Text Embedding 3 Large", "GPT-5.2"), ["hallucination", "other_low", "though_correct_low"]
    ].tolist() == [13, 17, 6]
    blank = errors[~errors["published"]]
    assert blank["total_low"].sum() <= published.UNKNOWN_TOTAL_ERRORS_SUM <= blank["total_high"].sum()
    pairs = audit.discordance().set_index(["measure", "retriever"])
    assert pairs.loc[("grounded", "Kanon 2"), ["low", "high"]].tolist() == [6, 6]
    assert (pairs["low"] >= pairs["gap"].abs()).all()
    judge = audit.judge_intervals([50, 100])
    assert judge["n"].tolist() == [100]  # no share of 50 prints as 99 %
    assert round(judge["low"][0], 3) == 0.946
    with pytest.raises(ParameterError, match="six cell sums"):
        audit.marginals((1, 2))


def test_the_papers_cells_as_rates_average_to_what_it_printed():
    rates = published.rates()
    for name, values in published.BY_RETRIEVER.items():
        for measure, printed in values.items():
            part = rates[(rates["retriever"] == name) & (rates["measure"] == measure)]
            assert printed.holds(part["share"].mean())
            assert ((part["low"] < part["share"]) & (part["share"] < part["high"])).all()
    assert set(rates.loc[rates["measure"] != "retrieved", "mark"]) == {"D"}
