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
    ("p", "said"),
    [(0.01, "An effect."), (0.3, "No effect shown, which is not the same as no effect.")],
)
def test_one_phrasing_is_not_told_twice(p: float, said: str) -> None:
    table = pd.DataFrame([{"measure": "correct", "effect": "retriever", "distant p": p}])
    (sentence,) = reading.tests(table, ("distant", "distant"))
    assert sentence == f"Correct, retriever: p = {p:.3f} (distant). {said}"


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


def _validity(shares: dict[tuple[str, str, str], tuple[int, int]]) -> pd.DataFrame:
    rows = [
        {
            "judge": who, "split": "new", "measure": measure, "kind": kind, "right": right, "n": n,
            "share": right / n, "low": 0.1, "high": 0.9,
        }
        for (who, measure, kind), (right, n) in shares.items()
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_a_judge_is_told_against_its_bars_and_beside_the_others() -> None:
    table = _validity(
        {
            ("ours", "sensitivity", "all"): (18, 20),
            ("ours", "sensitivity", "flipped"): (8, 10),
            ("ours", "sensitivity", "dropped"): (10, 10),
            ("ours", "specificity", "all"): (14, 20),
            ("ours", "specificity", "long"): (14, 20),
            ("likeness", "sensitivity", "all"): (11, 20),
            ("likeness", "sensitivity", "flipped"): (1, 10),
            ("likeness", "sensitivity", "dropped"): (10, 10),
        }
    )
    known, new = {"sensitivity": 0.88, "specificity": 0.76}, {"sensitivity": 0.92, "specificity": 0.65}
    said = reading.judge(table, "ours", "new", 0.9, 0.75, {"known hand": known, "new hand": new})
    assert said == [
        "ours on the new answers: sensitivity 0.90, 18 of 20, interval 0.10 to 0.90 (forecast 0.88 for a known hand, "
        "0.92 for a new hand); it reaches the bar of 0.90.",
        "ours on the new answers: specificity 0.70, 14 of 20, interval 0.10 to 0.90 (forecast 0.76 for a known hand, "
        "0.65 for a new hand); it misses the bar of 0.90.",
        "Kinds below 0.75: long 0.70.",
        "likeness lets most answers pass of flipped 0.10; ours there: flipped 0.80.",
    ]
    assert reading.judge(table, "ours", "new", 0.9, 0.6)[2] == (
        "No kind is below 0.60: flipped 0.80, dropped 1.00, long 0.70."
    )


def test_what_moved_a_judge_is_told() -> None:
    rows = [
        {"judge": judge, "flag": flag, "probe": probe, "share": share, "n": n}
        for judge, flag, probe, share, n in (
            ("ours", "correct", "shuffled", 0.0, 29),
            ("ours", "grounded", "shuffled", 0.0, 29),
            ("ours", "correct", "padded", 0.042, 120),
            ("ours", "grounded", "padded", 0.35, 120),
            ("ours", "correct", "reversed", float("nan"), 0),
            ("ours", "abstained", "shuffled", 0.5, 29),
            ("other", "grounded", "shuffled", 0.5, 29),
        )
    ]
    assert reading.probes(pd.DataFrame(rows), "ours") == [
        "ours, padded (120 answers): turned 4 % of correct, 35 % of grounded.",
        "ours, reversed: no verdict to compare.",
        "ours, shuffled (29 answers): no verdict turned.",
    ]


def test_an_arm_below_what_the_judge_passes_refutes_the_calibration() -> None:
    table = pd.DataFrame({"arm": ["a", "b"], "judged": [0.05, 0.35]})
    assert reading.floor(table, 0.22).startswith(
        "With these errors a judge reports 22 % as correct where every answer is wrong. 1 of 2 arms are reported below "
        "that (a): "
    )
    assert reading.floor(table, 0.04).endswith("No arm is reported below that.")
