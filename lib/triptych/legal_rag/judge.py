"""What a judge is asked and what it says: one interface for every judge of answers, offline or by language model.

    case = Case(question, reply.text, tuple(passage.text for passage in shown))
    (verdict,) = RubricJudge().judge([case])
    verdict.correct, verdict.grounded, verdict.abstained, verdict.reasons

`judge_rubric` is the offline judge, `judge_baseline` two naive ones to compare with, `judge_llm` asks a language model.
`judge_validity` measures any of them on answers of known truth, `judge_probes` asks whether order or length sways it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from triptych.legal_rag.perturbations import Perturbation
from triptych.legal_rag.questions import Phrasing, Question


@dataclass(frozen=True)
class Case:
    """One answer to be judged: the question with its rubric (claims, gold), the answer, and the passages shown.

    `passages` are the texts that the reader was given, in their order; empty: the book was closed. `author` names the
    model that wrote the answer, as `Client.model` does; a language model does not judge its own by default.
    """

    question: Question
    text: str
    passages: tuple[str, ...] = ()
    author: str = ""
    phrasing: Phrasing = "distant"


@dataclass(frozen=True)
class Verdict:
    """What a judge said of one answer.

    `correct`: it says what the required claims say and contradicts none; without an answer in the corpus, it abstains.
    `grounded`: every statement of law in it is supported by the passages shown. `abstained`: it declines to answer.
    All three are None exactly when the judge's own answer could not be read; `error` then says why, and the case is
    kept as an outcome of its own. `reasons` are sentences for a reader.
    """

    judge: str
    correct: bool | None
    grounded: bool | None
    abstained: bool | None
    reasons: tuple[str, ...] = ()
    error: str | None = None
    scores: tuple[tuple[str, float], ...] = field(default=(), compare=False)

    @property
    def outcome(self) -> Literal["judged", "unparsed"]:
        """The word of `runs.Run.verdict`."""
        return "unparsed" if self.correct is None or self.grounded is None else "judged"

    @property
    def objects(self) -> bool | None:
        """Whether the judge takes the answer for wrong or unsupported; None when the verdict could not be read."""
        return None if self.outcome == "unparsed" else not (self.correct and self.grounded)


class Judge(Protocol):
    """Anything that judges. `name` goes into the table of runs and tells judges (and their versions) apart."""

    @property
    def name(self) -> str: ...

    def judge(self, cases: Sequence[Case]) -> list[Verdict]:
        """One verdict a case, in order. Never fewer: what cannot be read is a verdict without values."""
        ...


def cases(items: Iterable[Perturbation], questions: Iterable[Question]) -> list[Case]:
    """Answers of known truth as cases: the gold spans count as the passages shown, as PERTURBATIONS.md says."""
    known = {question.id: question for question in questions}
    return [
        Case(known[item.question], item.text, tuple(span.quote for span in known[item.question].gold)) for item in items
    ]
