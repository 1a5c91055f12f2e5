"""The rubric judge: offline, always the same verdict, from the required claims, their quotes and the passages shown.

Five questions to an answer, each with a number and a threshold:

* does it decline to answer (what its sentences do, by their vectors and words, and how little of the claims is said)?
* is each required claim said (*coverage*: the words that neither another claim nor the question has, likeness)?
* is none denied (*contradiction*: nearer to the claim's opposite than to the claim, other words negated)?
* is each clause backed by the passages or the question (*support*: words without a source that make a rule)? What
  stands word for word in a passage is backed; how polite a clause is speaks for it, not always loudly enough.
* does it have the claims' numbers, and none that come from nowhere (exact)?

Declining comes first and is judged by a rule of its own: it is right exactly where the corpus has no answer. Else
*correct* needs the claims said, their numbers there and none denied; *grounded* no clause without support, no number
from nowhere and nothing denied, unless the denial is a passage's own words. The scores are logistic regressions on
the features of `judge_features`, few enough to be read: judge_rubric.json holds every coefficient, `judge_fit` makes
it from answers to dev questions and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache, cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from triptych.legal_rag import corpus, judge_features, judge_kept
from triptych.legal_rag.judge import Case, Verdict
from triptych.legal_rag.judge_features import Alignment, Answer, Number, Rubric, Speech, Support
from triptych.legal_rag.judge_space import Floats, Language, Space
from triptych.legal_rag.questions import rows

MODEL = Path(__file__).with_name("judge_rubric.json")
HEADS = {
    "coverage": judge_features.COVERAGE,
    "contradiction": judge_features.CONTRADICTION,
    "support": judge_features.SUPPORT,
    "abstention": judge_features.ABSTENTION,
}
BATCH = 200  # answers whose texts are held in memory at a time
Flags = npt.NDArray[np.bool_]
_UNITS = {"%": " %", "h": " hours", "d": " days", "w": " weeks", "m": " months", "y": " years"}


class Head(BaseModel):
    """A logistic regression on standardised features, and the score (log-odds) from which it objects."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    mean: dict[str, float]
    scale: dict[str, float]
    weight: dict[str, float]
    intercept: float
    threshold: float

    def scores(self, features: Sequence[Sequence[float]]) -> Floats:
        """Log-odds of an objection, one a row of features."""
        names = list(self.weight)
        mean, scale, weight = (
            np.array([part[name] for name in names]) for part in (self.mean, self.scale, self.weight)
        )
        return (np.array(features, dtype=float).reshape(-1, len(names)) - mean) / scale @ weight + self.intercept


class SpeechModel(BaseModel):
    """The regression of `judge_features.Speech` as JSON holds it."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    weights: tuple[tuple[float, ...], ...]
    intercepts: tuple[float, ...]


class Model(BaseModel):
    """The heads, the version that goes into the judge's name, and the command that remakes them.

    `expected` is what cross-validation promised of sensitivity, specificity and the worst kind when the model was
    fitted, before it judged a held-out answer: for a hand known from dev answers and for a new one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    version: int
    made: str
    expected: dict[str, dict[str, float]] = {}
    coverage: Head
    contradiction: Head
    support: Head
    abstention: Head
    speech: SpeechModel

    @cached_property
    def speaking(self) -> Speech:
        """The sorts of sentences as arrays."""
        return Speech(np.array(self.speech.weights), np.array(self.speech.intercepts))


@cache
def model(path: Path = MODEL) -> Model:
    """The committed model. Raises DataError when the file is missing or unfit."""
    (found,) = rows(path, Model, "rubric model")
    return found


class RubricJudge:
    """See the module. `law` are the texts from which it learns which words are rare and which are legal; None: the EU
    acts of the corpus, and then verdicts are kept (`judge_kept`)."""

    def __init__(self, fitted: Model | None = None, law: Iterable[str] | None = None) -> None:
        self.fitted = fitted or model()
        self.name = f"rubric@{self.fitted.version}"
        self.space = Space()
        self._law = law
        self._language: Language | None = None
        self._rubrics: dict[str, Rubric] = {}

    def judge(self, cases: Sequence[Case]) -> list[Verdict]:
        """One verdict a case, in order. Every verdict is read: this judge has no unparsed ones."""
        if self._law is not None:
            return self._fresh(cases)
        return judge_kept.verdicts(self.fitted.model_dump_json(), cases, self._fresh)

    def _fresh(self, cases: Sequence[Case]) -> list[Verdict]:
        found: list[Verdict] = []
        for start in range(0, len(cases), BATCH):
            answers = self.answers(cases[start : start + BATCH])
            found += [self._verdict(answer, *self.measure(answer)) for answer in answers]
        return found

    def answers(self, cases: Sequence[Case]) -> list[Answer]:
        """The cases taken apart and embedded, for `measure`."""
        answers = [self._answer(case) for case in cases]
        judge_features.learn(self.space, answers)
        return answers

    def measure(self, answer: Answer, speech: Speech | None = None) -> tuple[list[Alignment], list[Support], Floats]:
        """The features of a learned answer: one row a claim, one row a clause, and those of the whole."""
        speech = speech or self.fitted.speaking
        claims = judge_features.align(self.space, answer, self.language)
        clauses = judge_features.support(self.space, answer, self.language, speech)
        return claims, clauses, np.array(judge_features.abstention(self.space, answer, claims, speech))

    @property
    def language(self) -> Language:
        """Frequencies of the stems of the law, counted on first use."""
        if self._language is None:
            texts = self._law if self._law is not None else (article.text for article in corpus.load())
            self._language = Language(texts)
        return self._language

    def _answer(self, case: Case) -> Answer:
        question = case.question
        known = self._rubrics.get(question.id)
        if known is None or known.question != question:
            known = self._rubrics[question.id] = Rubric(question)
        return Answer(case, known)

    def _verdict(self, answer: Answer, claims: list[Alignment], clauses: list[Support], whole: Floats) -> Verdict:
        return decide(self.name, self.fitted, answer, claims, clauses, whole)


def decide(
    name: str, fitted: Model, answer: Answer, claims: Sequence[Alignment], clauses: Sequence[Support], whole: Floats
) -> Verdict:
    """The verdict that follows from the measured features of an answer."""
    unsaid = fitted.coverage.scores([found.coverage for found in claims])
    denied = fitted.contradiction.scores([found.contradiction for found in claims])
    unbacked = fitted.support.scores([found.features for found in clauses])
    declines = float(fitted.abstention.scores([whole.tolist()])[0])
    scores = (
        *(
            (head, float(values.max(initial=-np.inf)))
            for head, values in (("coverage", unsaid), ("contradiction", denied), ("support", unbacked))
        ),
        ("abstention", declines),
    )
    answerable = answer.rubric.question.answerable
    if not answer.sentences or declines > fitted.abstention.threshold:
        reason = "declines to answer" if answerable else "declines to answer, and the corpus has no answer"
        return Verdict(name, not answerable, True, True, (reason,), scores=scores)
    missing = unsaid > fitted.coverage.threshold
    against = (denied > fitted.contradiction.threshold) & ~missing
    reasons = [
        *_claim_reasons(answer, claims, missing, against),
        *_clause_reasons(answer, clauses, unbacked > fitted.support.threshold),
    ]
    correct = not (missing.any() or against.any() or any(found.missing for found in claims))
    if not answerable:
        correct = False
        reasons.insert(0, "answers, although the corpus has no answer")
    invented = any(not found.quoted for found, denies in zip(claims, against, strict=True) if denies)
    grounded = not (invented or any(reason.startswith(("not supported", "number from nowhere")) for reason in reasons))
    return Verdict(name, correct, grounded, False, tuple(reasons), scores=scores)


def _claim_reasons(answer: Answer, claims: Sequence[Alignment], missing: Flags, denied: Flags) -> list[str]:
    found: list[str] = []
    for place, (claim, where) in enumerate(zip(answer.rubric.question.claims, claims, strict=True)):
        if missing[place]:
            found.append(f"claim {place + 1} is not said: {claim.text}")
        elif denied[place]:
            found.append(f"denied, claim {place + 1} ({claim.text}): {where.window}")
        if where.missing:
            found.append(f"claim {place + 1} lacks {', '.join(map(shown, where.missing))}")
    return found


def _clause_reasons(answer: Answer, clauses: Sequence[Support], unbacked: Flags) -> list[str]:
    found: list[str] = []
    for place, clause in enumerate(clauses):
        if clause.quoted:
            continue
        if clause.new:
            found.append(f"number from nowhere, {', '.join(map(shown, clause.new))}: {clause.clause}")
        elif unbacked[place] and not clause.excused:
            found.append(f"not supported: {clause.clause}")
    if not answer.case.passages and clauses and not found:
        found.append("not supported: no passage was shown")
    return found


def shown(number: Number) -> str:
    """A number as a reader writes it: "72 hours"."""
    value, unit = number
    return f"{value:,.10g}".replace(",", " ") + _UNITS.get(unit, "")
