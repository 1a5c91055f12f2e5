"""Fits the rubric judge on answers to dev questions: python -m triptych.legal_rag.judge_fit

Writes judge_rubric.json. The answers are the dev half of the perturbation set and those of `judge_training`; the
held-out half is left out before anything is read. Thresholds are chosen by what happens to questions and voices that
were left out of the fit, never by the fit itself: the next answers come from another hand. `expected` tells what that
promises, once with answers of the perturbation set among those fitted on and once with none of them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression

from triptych.legal_rag import judge_rubric, judge_training, perturbations, questions
from triptych.legal_rag.judge import Case
from triptych.legal_rag.judge_features import SORTS, Alignment, Answer, Speech, Support
from triptych.legal_rag.judge_rubric import HEADS, Head, Model, RubricJudge, SpeechModel
from triptych.legal_rag.judge_space import Floats, Space
from triptych.legal_rag.perturbations import Perturbation
from triptych.legal_rag.questions import Question

COMMAND = "python -m triptych.legal_rag.judge_fit"
VERSION = 4
# inverse regularisation of each regression
STRENGTH = {"coverage": 0.02, "contradiction": 0.002, "support": 0.005, "abstention": 0.3, "speech": 3.0}
WRITTEN = 0.5  # weight of an answer of `judge_training`; one of the perturbation set weighs 1
FOLDS = 5  # of questions
# Voices that are left out of a fit together, so that thresholds are chosen on hands that the fit does not know.
SET = "set"  # the voice of the perturbation set
VOICES = ((SET,), ("early", "list", "mail"), ("tele", "restate", "esl"), ("lay", "law", "long"))
LEAST_SCALE = {"contradiction": 0.1}  # a feature that is seldom not nought is not blown up
# How many answers the dev half has of each kind that the thresholds decide on, and of those to object to and to accept
# that they do not: the ones that decline, and answers where the corpus has none.
MIX = {
    "paraphrase": 32, "verbose but right": 15, "terse but right": 19, "dropped claim": 21, "flipped negation": 33,
    "changed number": 15, "swapped article": 23, "unsupported addition": 21,
}  # fmt: skip
EASY = (31, 12)
LIKE_KIND = {
    "dropped": "dropped claim", "flipped": "flipped negation", "added": "unsupported addition",
    "padded": "verbose but right", "long": "verbose but right", "tele": "terse but right",
}  # fmt: skip
SHARES = np.linspace(0.0, 0.16, 17)  # of right answers that one head may refuse: the grid of the thresholds
WHOLE = ("paraphrase", "verbose but right", "terse but right", "unsupported addition", "right", "padded", "added")
JUDGED = ("coverage", "contradiction", "support")

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
class Item:
    """An answer to fit on: of the perturbation set (`given`) or of `judge_training`; `kind` is either's word for it."""

    question: str
    kind: str
    text: str
    given: bool
    positive: bool
    abstained: bool = False
    broken: tuple[int, ...] = ()
    added: str = ""
    voice: str = SET

    def adds(self, clause: str) -> bool:
        """Whether a clause belongs to the statement that was added."""
        if self.kind == "unsupported addition":
            return any(mark in clause for mark in ADDED[self.question])
        if not self.added:
            return False
        added, clause = self.added.rstrip(".").lower(), clause.strip(" .").lower()
        run = SequenceMatcher(None, added, clause, autojunk=False).find_longest_match().size
        return run >= 0.75 * min(len(added), len(clause))


@dataclass
class Measured:
    """An item and its features; those that depend on the sorts of sentences are measured again for each fit."""

    item: Item
    answer: Answer
    claims: list[Alignment]
    clauses: list[Support]
    whole: Floats

    def rows(self, head: str) -> list[tuple[float, ...]]:
        """The feature rows that a head scores."""
        if head == "support":
            return [clause.features for clause in self.clauses]
        if head == "abstention":
            return [tuple(self.whole.tolist())]
        return [claim.coverage if head == "coverage" else claim.contradiction for claim in self.claims]

    def labels(self, head: str) -> list[int | None]:
        """For each row whether the head has to object; None: no use for fitting."""
        item = self.item
        if head == "abstention":
            return [int(item.abstained)]
        if head == "support":
            use = item.kind in (*WHOLE, "dropped claim", "dropped")
            return [int(item.adds(clause.clause)) if use else None for clause in self.clauses]
        mine, other = {"dropped claim", "dropped"}, {"flipped negation", "flipped", "changed number"}
        if head == "contradiction":
            mine, other = {"flipped negation", "flipped"}, {"dropped claim", "dropped", "changed number"}
        if item.kind not in (*WHOLE, *mine, *other):
            return [None] * len(self.claims)
        broken = [place + 1 in item.broken for place in range(len(self.claims))]
        return [None if it and item.kind in other else int(it and item.kind in mine) for it in broken]


def items(given: Sequence[Perturbation]) -> list[Item]:
    """Dev answers of the set, then those put together from `judge_training`. Raises ValueError for a held-out one."""
    known = perturbations.splits(question.id for question in questions.load())
    written = judge_training.load()
    if any(item.split != "dev" for item in given) or any(known[answer.question] != "dev" for answer in written):
        raise ValueError("the judge is fitted on the dev half only")
    found = [
        Item(each.question, each.kind, each.text, True, each.positive, each.truth.abstained, each.broken)
        for each in given
    ]
    polite = [sentence.text for sentence in judge_training.sentences() if sentence.sort == "courtesy"]
    for place, each in enumerate(judge_training.examples(written, polite)):
        if each.sort in ("padded", "dropped") and place % 2:
            continue  # there are enough of them
        right = each.sort in ("right", "padded")
        found.append(
            Item(
                each.question,
                each.sort,
                each.text,
                False,
                not right,
                broken=each.broken,
                added=each.added,
                voice=each.voice,
            )
        )
    return found


class Bench:
    """The items with their features, measured once; sorts of sentences are fitted without the questions left out."""

    def __init__(self, found: Sequence[Item], asked: Sequence[Question]) -> None:
        known = {question.id: question for question in asked}
        self.reader = RubricJudge(fitted=_blank())
        self.space: Space = self.reader.space
        self.sentences = judge_training.sentences()
        self.space.learn(sentence.text for sentence in self.sentences)
        cases = [
            Case(known[item.question], item.text, tuple(span.quote for span in known[item.question].gold))
            for item in found
        ]
        answers = self.reader.answers(cases)
        speech = self.speech([])
        self.measured = [
            Measured(item, answer, *self.reader.measure(answer, speech))
            for item, answer in zip(found, answers, strict=True)
        ]

    def speech(self, measured: Sequence[Measured]) -> Speech:
        """The sorts of sentences from the written ones, and the refusals and statements of some given answers."""
        texts = [(sentence.text, SORTS.index(sentence.sort)) for sentence in self.sentences]
        for one in measured:
            if one.item.given and one.item.abstained:
                texts.append((one.item.text, SORTS.index("refusal")))
            elif one.item.given:
                texts += [(sentence, SORTS.index("statement")) for sentence in one.answer.sentences]
        vectors = self.space.vectors([text for text, _ in texts])
        fitted: Any = LogisticRegression(C=STRENGTH["speech"], class_weight="balanced", max_iter=2000)
        fitted.fit(vectors, [sort for _, sort in texts])
        return Speech(np.round(fitted.coef_, 4), np.round(fitted.intercept_, 4))

    def with_speech(self, speech: Speech, measured: Sequence[Measured] | None = None) -> list[Measured]:
        """The items, or these of them, measured with other sorts of sentences."""
        from triptych.legal_rag import judge_features

        courtesy = SORTS.index("courtesy")
        found: list[Measured] = []
        for one in self.measured if measured is None else measured:
            scores = speech.scores(self.space.vectors(one.answer.clauses))[:, courtesy] if one.clauses else []
            clauses = [
                Support(clause.clause, (*clause.features[:-1], float(score)), clause.new, clause.quoted)
                for clause, score in zip(one.clauses, scores, strict=True)
            ]
            whole = np.array(judge_features.abstention(self.space, one.answer, one.claims, speech))
            found.append(Measured(one.item, one.answer, one.claims, clauses, whole))
        return found


def _blank() -> Model:
    heads = {name: Head(mean={}, scale={}, weight={}, intercept=0, threshold=0) for name in HEADS}
    return Model(version=0, made="", expected={}, speech=SpeechModel(weights=(), intercepts=()), **heads)


def regression(head: str, measured: Sequence[Measured], threshold: float = 0.0) -> Head:
    """One head fitted on these answers; objections and the rest weigh the same in all."""
    triples = [
        (row, label, 1.0 if one.item.given else WRITTEN)
        for one in measured
        for row, label in zip(one.rows(head), one.labels(head), strict=True)
        if label is not None
    ]
    rows, labels = np.array([row for row, _, _ in triples]), np.array([label for _, label, _ in triples])
    weights = np.array([weight for _, _, weight in triples])
    weights = np.where(labels == 1, weights * weights[labels == 0].sum() / max(weights[labels == 1].sum(), 1), weights)
    middle, spread = rows.mean(axis=0), np.maximum(rows.std(axis=0), LEAST_SCALE.get(head, 1e-9))
    fitted: Any = LogisticRegression(C=STRENGTH[head], solver="newton-cholesky", max_iter=100)
    fitted.fit((rows - middle) / spread, labels, sample_weight=weights)

    def named(values: Any) -> dict[str, float]:
        return {name: round(float(value), 6) for name, value in zip(HEADS[head], values, strict=True)}

    return Head(
        mean=named(middle),
        scale=named(spread),
        weight=named(fitted.coef_[0]),
        intercept=round(float(fitted.intercept_[0]), 6),
        threshold=round(threshold, 4),
    )


def out_of_fold(
    bench: Bench, measured: Sequence[Measured], seed: int = 0
) -> tuple[list[Measured], dict[str, list[Floats]]]:
    """For each head the scores of every answer's rows by a fit that saw no answer to the same question and none of the
    same group of voices."""
    seen: list[Measured] = []
    scores: dict[str, list[Floats]] = {head: [] for head in HEADS}
    names = sorted({one.item.question for one in measured})
    for fold in np.array_split(np.random.default_rng(seed).permutation(names), FOLDS):
        inside = set(fold.tolist())
        speech = bench.speech([one for one in measured if one.item.question not in inside])
        fresh = bench.with_speech(speech, [one for one in measured if one.item.question in inside])
        for voices in VOICES:
            mine = [one for one in fresh if one.item.voice in voices]
            if not mine:
                continue
            rest = [one for one in measured if one.item.question not in inside and one.item.voice not in voices]
            # only the set has answers that decline
            other = [one for one in measured if one.item.question not in inside]
            heads = {head: regression(head, other if head == "abstention" else rest) for head in HEADS}
            seen += mine
            for head in HEADS:
                scores[head] += [heads[head].scores(one.rows(head)) if one.rows(head) else np.zeros(0) for one in mine]
    return seen, scores


def thresholds(seen: Sequence[Measured], scores: dict[str, list[Floats]]) -> dict[str, float]:
    """The thresholds that make the smaller of sensitivity and specificity largest, and with it both and the worst kind.

    Only out-of-fold scores are used. That of abstentions tells them best from answers; each of the other heads may
    refuse one of `SHARES` of the right answers. Every kind counts as often as the perturbation set's dev half has it;
    where there are written answers of the kind too, they and the set's count for one half each.
    """
    declined = np.array([values[0] for values in scores["abstention"]])
    said = np.array([one.item.abstained for one in seen])
    cuts = np.sort(declined)
    cuts = (cuts[1:] + cuts[:-1]) / 2
    abstention = 0.0
    if said.any():
        worth = np.array([min((declined[said] > cut).mean(), (declined[~said] <= cut).mean()) for cut in cuts])
        abstention = float(cuts[worth == worth.max()].mean())
    hard = [
        k
        for k, one in enumerate(seen)
        if one.answer.rubric.question.answerable and not one.item.abstained and declined[k] <= abstention
    ]
    top = {head: np.array([_top(seen[k], head, scores[head][k]) for k in hard]) for head in JUDGED}
    positive = np.array([seen[k].item.positive for k in hard])
    exact = np.array([_numbers(seen[k]) for k in hard])
    kinds = [kind for kind in MIX if any(_kind(seen[k].item) == kind for k in hard)]
    weight = np.array([[_kind(seen[k].item) == kind for k in hard] for kind in kinds], dtype=float)
    given = np.array([seen[k].item.given for k in hard])
    for row in weight:
        for half in (given, ~given):
            row[half] /= max(row[half].sum(), 1)
        row /= row.sum()
    wrong = np.array([bool(positive[row > 0][0]) for row in weight])
    mix = np.array([MIX[kind] for kind in kinds], dtype=float)
    grid = {head: np.quantile(top[head][~positive], 1 - SHARES, method="higher") + 1e-6 for head in JUDGED}
    best, found = -1.0, dict.fromkeys(JUDGED, 0.0)
    for cut in product(*grid.values()):
        objects = exact | np.any([top[head] > value for head, value in zip(JUDGED, cut, strict=True)], axis=0)
        shares = weight @ (objects == positive)
        both = [
            float((shares[half] @ mix[half] + easy) / (mix[half].sum() + easy))
            for half, easy in zip((wrong, ~wrong), EASY, strict=True)
        ]
        value = min(both) + 0.3 * sum(both) + 0.2 * float(shares.min())
        if value > best:
            best, found = value, dict(zip(JUDGED, map(float, cut), strict=True))
    return {**found, "abstention": abstention}


def _kind(item: Item) -> str:
    """A kind of the perturbation set; written answers go to the one that they are most like."""
    return item.kind if item.given else LIKE_KIND.get(item.kind) or LIKE_KIND.get(item.voice, "paraphrase")


def _top(one: Measured, head: str, scores: Floats) -> float:
    if head == "support":
        scores = scores[np.array([not clause.excused for clause in one.clauses], dtype=bool)]
    return float(scores.max(initial=-50.0))


def _numbers(one: Measured) -> bool:
    return any(claim.missing for claim in one.claims) or any(c.new and not c.quoted for c in one.clauses)


def fit(bench: Bench, names: Sequence[str], known: bool = True) -> tuple[Model, Speech]:
    """The whole model from the answers to these questions; not `known`: without the answers of the perturbation set,
    except that nothing else tells how an answer declines."""
    inside = set(names)
    speech = bench.speech(
        [one for one in bench.measured if one.item.question in inside and (known or one.item.abstained)]
    )
    every = [one for one in bench.with_speech(speech) if one.item.question in inside]
    measured = every if known else [one for one in every if not one.item.given or one.item.abstained]
    cut = thresholds(*out_of_fold(bench, measured))
    heads = {head: regression(head, every if head == "abstention" else measured, cut[head]) for head in HEADS}
    kept = SpeechModel(
        weights=tuple(tuple(row) for row in speech.weights.tolist()), intercepts=tuple(speech.intercepts.tolist())
    )
    return Model(version=VERSION, made=COMMAND, expected={}, speech=kept, **heads), speech


def expected(bench: Bench, names: Sequence[str], known: bool, report: Callable[[str], None] = print) -> pd.DataFrame:
    """What the whole judge does with the set's answers to questions that neither the regressions nor the thresholds
    saw, kind by kind; not `known`: nor any other answer of the set, which is then from a new hand.

    Nested: for each fifth of the questions, regressions and thresholds are fitted on the other four fifths.
    """
    rows: list[dict[str, Any]] = []
    for fold in np.array_split(np.random.default_rng(1).permutation(sorted(names)), FOLDS):
        inside = set(fold.tolist())
        fitted, speech = fit(bench, [name for name in names if name not in inside], known)
        for one in bench.with_speech(speech):
            if one.item.given and one.item.question in inside:
                verdict = judge_rubric.decide("", fitted, one.answer, one.claims, one.clauses, one.whole)
                right = verdict.objects == one.item.positive
                rows.append({"kind": one.item.kind, "positive": one.item.positive, "right": right})
    table = pd.DataFrame(rows)
    by = table.groupby(["positive", "kind"])["right"].agg(["sum", "count", "mean"])
    report(f"{'known' if known else 'new'} hand\n{by}\n\n{table.groupby('positive')['right'].mean()}")
    return table


def summary(table: pd.DataFrame) -> dict[str, float]:
    """Sensitivity, specificity and the share right of the worst kind."""
    right, positive, kinds = (np.array(table[name].tolist()) for name in ("right", "positive", "kind"))
    found = {
        "sensitivity": float(right[positive].mean()),
        "specificity": float(right[~positive].mean()),
        "worst kind": min(float(right[kinds == kind].mean()) for kind in set(kinds.tolist())),
    }
    return {name: round(share, 3) for name, share in found.items()}


def main() -> None:
    """Fit, write the model, and tell what to expect of it."""
    bench = Bench(items(perturbations.only(perturbations.load(), "dev")), questions.load())
    names = sorted({one.item.question for one in bench.measured})
    promised = {
        f"{hand} hand": summary(expected(bench, names, known)) for hand, known in (("known", True), ("new", False))
    }
    fitted = fit(bench, names)[0].model_copy(update={"expected": promised})
    judge_rubric.MODEL.write_text(json.dumps(fitted.model_dump()) + "\n", "utf-8")


if __name__ == "__main__":
    main()
