"""Fits the rubric judge on the dev half of the perturbation set: python -m triptych.legal_rag.judge_fit

Writes judge_rubric.json. The held-out half is left out before anything is read. Regularisation and thresholds are
chosen by what happens to questions that were left out of the fit (cross-validation over questions), never by the fit
itself; `expected` tells what that promises.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from triptych.legal_rag import judge, judge_rubric, perturbations, questions
from triptych.legal_rag.judge_features import Alignment, Answer, Floats, Support
from triptych.legal_rag.judge_rubric import HEADS, Head, Model, RubricJudge
from triptych.legal_rag.perturbations import Perturbation

COMMAND = "python -m triptych.legal_rag.judge_fit"
STRENGTH = {"coverage": 0.03, "contradiction": 0.1, "support": 0.05}  # inverse regularisation of each regression
FOLDS = 25  # of two questions each
WHOLE = ("paraphrase", "verbose but right", "terse but right", "unsupported addition")
SHARES = np.linspace(0.0, 0.2, 21)  # of right answers that one head may refuse: the grid of the thresholds
VERSION = 1

# Words by which the added statement of each dev addition is found, marked by hand: the set says what was added in words
# only. An answer's other clauses are supported.
ADDED: dict[str, tuple[str, ...]] = {
    "eu-001": ("everybody whose religion",),
    "eu-007": ("reported to the police", "reference number"),
    "eu-009": ("twelve months",),
    "eu-012": ("Every volunteer",),
    "eu-019": ("flat fee",),
    "eu-024": ("A summary in plain",),
    "eu-026": ("all official languages",),
    "eu-032": ("independent expert",),
    "eu-034": ("notify both",),
    "eu-040": ("by operation of law",),
    "eu-044": ("Entries must be kept",),
    "eu-049": ("serial numbers",),
    "eu-052": ("second copy", "archive"),
    "eu-062": ("questionnaire", "staff numbers"),
    "eu-064": ("ten working days",),
    "eu-069": ("hear her in person",),
    "eu-076": ("simplified regime",),
    "eu-078": ("announces the days",),
    "eu-083": ("draws no salary",),
    "eu-092": ("by a team",),
    "eu-093": ("at least five years",),
}


@dataclass(frozen=True)
class Measured:
    """A dev answer and its features."""

    item: Perturbation
    answer: Answer
    claims: list[Alignment]
    clauses: list[Support]

    def rows(self, head: str) -> list[tuple[float, ...]]:
        """The feature rows that a head scores."""
        if head == "support":
            return [clause.features for clause in self.clauses]
        return [claim.coverage if head == "coverage" else claim.contradiction for claim in self.claims]

    def labels(self, head: str) -> list[int | None]:
        """For each row whether the head has to object; None: no use for fitting."""
        item = self.item
        if head == "support":
            if item.kind not in (*WHOLE, "dropped claim"):
                return [None] * len(self.clauses)
            marks = ADDED[item.question] if item.kind == "unsupported addition" else ()
            return [int(any(mark in clause.clause for mark in marks)) for clause in self.clauses]
        mine = "dropped claim" if head == "coverage" else "flipped negation"
        other = "flipped negation" if head == "coverage" else "dropped claim"
        if item.kind not in (*WHOLE, "dropped claim", "flipped negation", "changed number"):
            return [None] * len(self.claims)
        broken = [place + 1 in item.broken for place in range(len(self.claims))]
        return [None if it and item.kind == other else int(it and item.kind == mine) for it in broken]


def measure(items: Sequence[Perturbation]) -> list[Measured]:
    """Features of dev answers. Raises ValueError when one is not of the dev half."""
    if any(item.split != "dev" for item in items):
        raise ValueError("the judge is fitted on the dev half only")
    reader = RubricJudge(fitted=_blank())
    answers = reader.answers(judge.cases(items, questions.load()))
    return [Measured(item, answer, *reader.measure(answer)) for item, answer in zip(items, answers, strict=True)]


def _blank() -> Model:
    heads = {name: Head(mean={}, scale={}, weight={}, intercept=0, threshold=0) for name in HEADS}
    return Model(version=0, made="", **heads)


def regression(head: str, measured: Sequence[Measured], threshold: float = 0.0) -> Head:
    """One head fitted on these answers; objections and the rest weigh the same."""
    pairs = [
        (row, label)
        for one in measured
        for row, label in zip(one.rows(head), one.labels(head), strict=True)
        if label is not None
    ]
    rows, labels = np.array([row for row, _ in pairs]), np.array([label for _, label in pairs])
    scaler = StandardScaler().fit(rows)
    fitted: Any = LogisticRegression(C=STRENGTH[head], class_weight="balanced", max_iter=2000)
    fitted.fit(scaler.transform(rows), labels)
    spread: Any = scaler.scale_
    middle: Any = scaler.mean_

    def named(values: Any) -> dict[str, float]:
        return {name: round(float(value), 6) for name, value in zip(HEADS[head], values, strict=True)}

    return Head(
        mean=named(middle),
        scale=named(spread),
        weight=named(fitted.coef_[0]),
        intercept=round(float(fitted.intercept_[0]), 6),
        threshold=round(threshold, 4),
    )


def out_of_fold(measured: Sequence[Measured], seed: int = 0) -> dict[str, list[Floats]]:
    """For each head the scores of every answer's rows by a fit that saw no answer to the same question."""
    names = sorted({one.item.question for one in measured})
    folds = np.array_split(np.random.default_rng(seed).permutation(names), min(FOLDS, len(names)))
    scores: dict[str, list[Floats]] = {head: [np.zeros(0)] * len(measured) for head in HEADS}
    for fold in folds:
        inside = set(fold.tolist())
        rest = [one for one in measured if one.item.question not in inside]
        for head in HEADS:
            fitted = regression(head, rest)
            for place, one in enumerate(measured):
                if one.item.question in inside:
                    scores[head][place] = fitted.scores(one.rows(head)) if one.rows(head) else np.zeros(0)
    return scores


def thresholds(measured: Sequence[Measured], scores: dict[str, list[Floats]]) -> dict[str, float]:
    """The three thresholds that make the smaller of sensitivity and specificity largest, plus half the worst kind.

    Only out-of-fold scores are used. Each head may refuse one of `SHARES` of the right answers.
    """
    hard = [
        k for k, one in enumerate(measured) if one.item.question not in _unanswerable(measured) and not _declined(one)
    ]
    top = {head: np.array([scores[head][k].max(initial=-np.inf) for k in hard]) for head in HEADS}
    positive = np.array([measured[k].item.positive for k in hard])
    kinds = np.array([measured[k].item.kind for k in hard])
    exact = np.array([_numbers(measured[k]) for k in hard])
    grid = {head: np.quantile(top[head][~positive], 1 - SHARES, method="higher") + 1e-6 for head in HEADS}
    best, found = -1.0, dict.fromkeys(HEADS, 0.0)
    for cut in product(*grid.values()):
        objects = exact | np.any([top[head] > value for head, value in zip(HEADS, cut, strict=True)], axis=0)
        right = objects == positive
        worst = min(right[kinds == kind].mean() for kind in set(kinds))
        value = min(right[positive].mean(), right[~positive].mean()) + worst / 2
        if value > best:
            best, found = float(value), dict(zip(HEADS, map(float, cut), strict=True))
    return found


def _unanswerable(measured: Sequence[Measured]) -> set[str]:
    return {one.item.question for one in measured if not one.answer.rubric.question.answerable}


def _declined(one: Measured) -> bool:
    return one.item.truth.abstained


def _numbers(one: Measured) -> bool:
    return any(claim.missing for claim in one.claims) or any(clause.new for clause in one.clauses)


def fit(measured: Sequence[Measured]) -> Model:
    """The whole model from dev answers."""
    cut = thresholds(measured, out_of_fold(measured))
    heads = {head: regression(head, measured, cut[head]) for head in HEADS}
    return Model(version=VERSION, made=COMMAND, **heads)


def expected(measured: Sequence[Measured], report: Callable[[str], None] = print) -> pd.DataFrame:
    """What the whole judge does with questions that neither the regressions nor the thresholds saw, kind by kind.

    Nested: for each tenth of the questions, regressions and thresholds are fitted on the other nine tenths.
    """
    names = sorted({one.item.question for one in measured})
    rows: list[dict[str, Any]] = []
    for fold in np.array_split(np.random.default_rng(1).permutation(names), 10):
        inside = set(fold.tolist())
        fitted = fit([one for one in measured if one.item.question not in inside])
        mine = [one for one in measured if one.item.question in inside]
        said = RubricJudge(fitted).judge([one.answer.case for one in mine])
        rows += [
            {"kind": one.item.kind, "positive": one.item.positive, "right": verdict.objects == one.item.positive}
            for one, verdict in zip(mine, said, strict=True)
        ]
    table = pd.DataFrame(rows)
    by = table.groupby(["positive", "kind"])["right"].agg(["sum", "count", "mean"])
    report(f"{by}\n\n{table.groupby('positive')['right'].mean()}")
    return table


def main() -> None:
    """Fit, write the model, and tell what to expect of it."""
    measured = measure(perturbations.only(perturbations.load(), "dev"))
    expected(measured)
    judge_rubric.MODEL.write_text(json.dumps(fit(measured).model_dump()) + "\n", "utf-8")


if __name__ == "__main__":
    main()
