"""How the rubric judge is fitted: the regressions at their optimum, thresholds from scores of known order, folds apart.

Nothing here reads the answers of the perturbation set: items are invented, features are numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from triptych.legal_rag import judge_fit
from triptych.legal_rag.judge_fit import Item
from triptych.legal_rag.judge_rubric import HEADS


@dataclass(eq=False)
class Made:
    """An item with invented feature rows and labels, in place of `judge_fit.Measured`."""

    item: Item
    features: dict[str, list[tuple[float, ...]]] = field(default_factory=dict)
    objections: dict[str, list[int | None]] = field(default_factory=dict)
    claims: Sequence[Any] = ()
    clauses: Sequence[Any] = ()
    answer: Any = field(
        default_factory=lambda: SimpleNamespace(rubric=SimpleNamespace(question=SimpleNamespace(answerable=True)))
    )

    def rows(self, head: str) -> list[tuple[float, ...]]:
        return self.features.get(head, [])

    def labels(self, head: str) -> list[int | None]:
        return self.objections.get(head, [])


def item(kind: str = "paraphrase", question: str = "q", voice: str = judge_fit.SET, **other: Any) -> Item:
    right = ("paraphrase", "verbose but right", "terse but right", "right", "padded")
    given = voice == judge_fit.SET
    return Item(question, kind, "text", given, kind not in right and not other.get("abstained"), voice=voice, **other)


@pytest.fixture
def measured() -> list[Made]:
    """Answers whose coverage features tell objections apart somewhat; some rows are of no use, some weigh one half."""
    random, width = np.random.default_rng(0), len(HEADS["coverage"])
    found: list[Made] = []
    for number in range(60):
        labels = [int(random.random() < 0.3), int(random.random() < 0.3), None]
        rows = [tuple((random.normal(size=width) + (label or 0)).tolist()) for label in labels]
        voice = judge_fit.SET if number % 3 else "mail"
        found.append(Made(item(question=f"q{number}", voice=voice), {"coverage": rows}, {"coverage": labels}))
    return found


def test_a_regression_is_the_optimum_of_the_balanced_penalised_likelihood(measured: list[Made]) -> None:
    head = judge_fit.regression("coverage", measured, threshold=0.25)
    assert head.threshold == 0.25
    use = [
        (row, label, one.item.given)
        for one in measured
        for row, label in zip(one.rows("coverage"), one.labels("coverage"), strict=True)
        if label is not None
    ]
    y = np.array([label for _, label, _ in use])
    weight = np.where([given for *_, given in use], 1.0, judge_fit.WRITTEN)
    weight[y == 1] *= weight[y == 0].sum() / weight[y == 1].sum()
    rows = [row for row, *_ in use]
    x = np.array(rows)
    assert list(head.mean.values()) == pytest.approx(x.mean(axis=0), abs=1e-5)
    assert list(head.scale.values()) == pytest.approx(x.std(axis=0), abs=1e-5)
    wrong = weight * (1 / (1 + np.exp(-head.scores(rows))) - y)
    z = (x - x.mean(axis=0)) / x.std(axis=0)
    slope = np.array(list(head.weight.values())) + judge_fit.STRENGTH["coverage"] * wrong @ z
    assert wrong.sum() == pytest.approx(0, abs=0.01)  # the intercept is not penalised
    assert slope == pytest.approx(np.zeros(len(slope)), abs=1e-3)
    assert head.scores(rows)[y == 1].mean() > head.scores(rows)[y == 0].mean()


def test_a_feature_that_is_seldom_not_nought_is_not_blown_up() -> None:
    width = len(HEADS["contradiction"])
    rows = [(0.0,) * width] * 20 + [(0.01,) + (0.0,) * (width - 1)]
    made = Made(item(), {"contradiction": rows}, {"contradiction": [0] * 20 + [1]})
    head = judge_fit.regression("contradiction", [made])
    assert next(iter(head.scale.values())) == judge_fit.LEAST_SCALE["contradiction"]


def clause(**other: bool) -> SimpleNamespace:
    return SimpleNamespace(**{"excused": False, "new": False, "quoted": False, **other})


def told_apart(count: int = 20) -> tuple[list[Made], dict[str, list[np.ndarray]]]:
    """Right answers and three kinds of wrong ones, each shown by one head alone; and some that decline."""
    seen: list[Made] = []
    scores: dict[str, list[np.ndarray]] = {head: [] for head in HEADS}
    by = {"dropped claim": "coverage", "flipped negation": "contradiction", "unsupported addition": "support"}
    random = np.random.default_rng(1)
    for kind in ("paraphrase", "terse but right", *by, "abstention"):
        for _ in range(count):
            seen.append(Made(item(kind, abstained=kind == "abstention"), clauses=[clause(), clause(excused=True)]))
            for head in judge_fit.JUDGED:
                high = 3.0 if by.get(kind) == head else 0.0
                excused = [9.0] if head == "support" else []
                scores[head].append(np.array([high + random.uniform(-1, 1), *excused]))
            scores["abstention"].append(np.array([4.0 if kind == "abstention" else random.uniform(-1, 0)]))
    return seen, scores


def test_thresholds_separate_what_can_be_separated() -> None:
    seen, scores = told_apart()
    cut = judge_fit.thresholds(seen, scores)
    for head in judge_fit.JUDGED:  # between the highest score of a right answer and the lowest of a wrong one
        assert 0.5 < cut[head] < 2.0
    declined = [values[0] for values in scores["abstention"]]
    assert sorted(declined)[-21] < cut["abstention"] < 4.0
    order = np.random.default_rng(2).permutation(len(seen)).tolist()
    again = judge_fit.thresholds([seen[k] for k in order], {h: [v[k] for k in order] for h, v in scores.items()})
    assert again == pytest.approx(cut)


def test_a_head_that_tells_nothing_refuses_nothing() -> None:
    """Contradiction scores without meaning: an objection by them would cost right answers and find no wrong one."""
    seen, scores = told_apart()
    useful = [one.item.kind != "flipped negation" for one in seen]
    seen = [one for one, use in zip(seen, useful, strict=True) if use]
    scores = {
        head: [value for value, use in zip(values, useful, strict=True) if use] for head, values in scores.items()
    }
    cut = judge_fit.thresholds(seen, scores)
    right = [k for k, one in enumerate(seen) if not one.item.positive and not one.item.abstained]
    assert max(float(scores["contradiction"][k][0]) for k in right) <= cut["contradiction"]


def test_a_wrong_number_needs_no_threshold() -> None:
    seen, scores = told_apart()
    for place, one in enumerate(seen):
        if one.item.kind == "dropped claim":  # told by nothing but its number now
            scores["coverage"][place] = np.array([0.0])
            one.claims = [SimpleNamespace(missing=("24",))]
    cut = judge_fit.thresholds(seen, scores)
    right = [k for k, one in enumerate(seen) if not one.item.positive and not one.item.abstained]
    assert max(float(scores["coverage"][k][0]) for k in right) <= cut["coverage"]


def test_scores_out_of_fold_come_from_fits_without_the_question_and_the_voice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    voices = [voice for group in judge_fit.VOICES for voice in group]
    measured = [
        Made(item(question=f"q{number % 12}", voice=voice), {head: [(float(number),)] for head in HEADS})
        for number, voice in enumerate(voices * 4)
    ]
    taught: list[set[str]] = []

    class Bench:
        def speech(self, some: Sequence[Made]) -> set[str]:
            taught.append({one.item.question for one in some})
            return taught[-1]

        def with_speech(self, speech: set[str], some: Sequence[Made]) -> list[Made]:
            assert not speech & {one.item.question for one in some}
            return list(some)

    class Fitted:
        def __init__(self, head: str, some: Sequence[Made]) -> None:
            self.head, self.some = head, list(some)

        def scores(self, rows: Sequence[tuple[float, ...]]) -> np.ndarray:
            (number,) = (int(row[0]) for row in rows)
            mine, group = measured[number], next(g for g in judge_fit.VOICES if measured[number].item.voice in g)
            assert self.some
            assert all(one.item.question != mine.item.question for one in self.some)
            if self.head != "abstention":  # only the set has answers that decline
                assert all(one.item.voice not in group for one in self.some)
            return np.array([float(number)])

    monkeypatch.setattr(judge_fit, "regression", Fitted)
    seen, scores = judge_fit.out_of_fold(Bench(), measured)
    assert len(taught) == judge_fit.FOLDS
    assert sorted(id(one) for one in seen) == sorted(id(one) for one in measured)  # each once
    for head in HEADS:
        assert [measured[int(value[0])] for value in scores[head]] == seen  # scores stand beside their answers
