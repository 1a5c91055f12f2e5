"""Sentences written from tables say what the tables say."""

from __future__ import annotations

import pandas as pd
import pytest

from triptych.legal_rag import reading


@pytest.mark.parametrize(
    ("plain", "distant", "said"),
    [
        (0.0001, 0.01, "p < .001 (plain) and p = 0.010 (distant). An effect in both phrasings."),
        (0.2, 0.01, "An effect in the distant phrasing only: not settled."),
        (0.01, 0.05, "An effect in the plain phrasing only: not settled."),
        (0.2, 0.9, "No effect shown, which is not the same as no effect."),
    ],
)
def test_wald_tests_are_told_for_both_phrasings(plain: float, distant: float, said: str) -> None:
    table = pd.DataFrame([{"measure": "correct", "effect": "retriever", "plain p": plain, "distant p": distant}])
    (sentence,) = reading.tests(table, ("plain", "distant"))
    assert sentence.startswith("Correct, retriever: ")
    assert sentence.endswith(said)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([0.1, 0.2], "none of them finds it"),
        ([0.01, 0.0001], "p from < .001 to 0.010; all of them find it"),
        ([0.01, 0.2, None], "2 variants, p from 0.010 to 0.200; 1 of 2 find it, so it hangs on the choice"),
    ],
)
def test_variants_that_disagree_are_told(values: list[float | None], said: str) -> None:
    rows = [{"measure": "grounded", "effect": "generator", "variant": str(k), "p": p} for k, p in enumerate(values)]
    (sentence,) = reading.variants(pd.DataFrame(rows))
    assert said in sentence


@pytest.mark.parametrize(
    ("holm", "within", "said"),
    [
        (0.01, 0.9, "they differ"),
        (0.4, 0.01, "equal within 5 points"),
        (0.4, 0.3, "neither a difference nor equality is shown; a margin of 9 points would have passed"),
    ],
)
def test_a_large_p_is_not_equality(holm: float, within: float, said: str) -> None:
    row = {
        "measure": "correct", "retriever": "BM25", "pair": "a − b", "difference": -0.021, "margin needed": 0.09,
        "Holm p": holm, "p, within ±0.05": within,
    }  # fmt: skip
    (sentence,) = reading.equivalence(pd.DataFrame([row]), 0.05)
    assert sentence == f"Correct, BM25, a − b: -2.1 points; {said}."
