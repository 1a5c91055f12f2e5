"""Answers whose truth is known, for judging judges: the schema, and the two files they are kept in.

Each item is an answer to one of our own questions, written so that it is known whether it is right, whether the gold
spans support it, and whether it abstains. perturbations.jsonl covers all questions; perturbations_second.jsonl holds
fresh answers to the held-out half, for the one measurement of a later judge. How both were written and checked is told
in PERTURBATIONS.md.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict

from triptych.legal_rag.questions import Question, rows

FILE = Path(__file__).with_name("perturbations.jsonl")
FILE_SECOND = Path(__file__).with_name("perturbations_second.jsonl")  # held-out questions only
Kind = Literal[
    "paraphrase",
    "verbose but right",
    "terse but right",
    "right abstention",
    "dropped claim",
    "flipped negation",
    "changed number",
    "swapped article",
    "unsupported addition",
    "abstention",
    "fabricated answer",
]
KINDS: tuple[Kind, ...] = get_args(Kind)
Split = Literal["dev", "held-out"]
SPLITS: tuple[Split, ...] = ("dev", "held-out")


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Truth(_Row):
    """What a perfect judge would say of an answer, given the question, its required claims and its gold spans.

    `correct`: it says everything that the required claims say and contradicts none of them; for a question without an
    answer in the corpus, it says so and gives none. `grounded`: every statement of law in it is supported by the gold
    spans (plus the question's own facts and arithmetic on them); an abstention states no law. `abstained`: it declines
    to answer.
    """

    correct: bool
    grounded: bool
    abstained: bool


class Altered(_Row):
    """The words of the law that were altered (`was`) and what the answer says instead (`now`)."""

    was: str
    now: str


class Perturbation(_Row):
    """One answer with known truth.

    `broken` lists the required claims (counted from 1) that the answer leaves out or contradicts, for the kinds that
    break particular claims. `altered` is set for a changed number only. `note` says what was done.
    """

    id: str
    question: str
    split: Split
    kind: Kind
    text: str
    truth: Truth
    broken: tuple[int, ...] = ()
    altered: Altered | None = None
    note: str

    @property
    def positive(self) -> bool:
        """Whether a judge has to object: the answer is wrong or unsupported."""
        return not (self.truth.correct and self.truth.grounded)


_RIGHT = Truth(correct=True, grounded=True, abstained=False)
_INCOMPLETE = Truth(correct=False, grounded=True, abstained=False)
_WRONG = Truth(correct=False, grounded=False, abstained=False)

# Each kind has one truth, so that sensitivity and specificity can be told kind by kind.
TRUTH = MappingProxyType[Kind, Truth](
    {
        "paraphrase": _RIGHT,
        "verbose but right": _RIGHT,
        "terse but right": _RIGHT,
        "right abstention": Truth(correct=True, grounded=True, abstained=True),
        "dropped claim": _INCOMPLETE,
        "flipped negation": _WRONG,
        "changed number": _WRONG,
        "swapped article": _WRONG,
        "unsupported addition": Truth(correct=True, grounded=False, abstained=False),
        "abstention": Truth(correct=False, grounded=True, abstained=True),
        "fabricated answer": _WRONG,
    }
)
BREAKING: frozenset[Kind] = frozenset({"dropped claim", "flipped negation", "changed number"})
UNANSWERABLE: frozenset[Kind] = frozenset({"right abstention", "fabricated answer"})


def load(path: Path = FILE) -> list[Perturbation]:
    """The answers of a JSONL file, in order. Raises DataError that names the line and what is wrong with it."""
    return rows(path, Perturbation, "perturbation")


def only(items: Iterable[Perturbation], split: Split) -> list[Perturbation]:
    """The answers of one half of the questions, in order."""
    return [item for item in items if item.split == split]


def splits(questions: Iterable[str]) -> dict[str, Split]:
    """The half that each question id belongs to: in the order of sha256 (hex) of the id, the first half is "dev"."""
    ranked = sorted(set(questions), key=lambda name: hashlib.sha256(name.encode()).hexdigest())
    half = len(ranked) // 2
    return {name: "dev" if rank < half else "held-out" for rank, name in enumerate(ranked)}


# Twelve is as far as our texts spell a number out.
_WORDS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
_NUMBER = re.compile(rf"\d+(?:[ \u00a0]\d{{3}})*(?:[.,]\d+)?|\b(?:{'|'.join(_WORDS)})\b", re.IGNORECASE)


def numbers(text: str) -> set[float]:
    """Every number in a text: digits ("10 000", "1,4", "2.5") and the words from one to twelve."""
    return {_value(match[0].lower()) for match in _NUMBER.finditer(text)}


def _value(token: str) -> float:
    if token in _WORDS:
        return float(_WORDS.index(token) + 1)
    return float(re.sub(r"\s", "", token).replace(",", "."))


def problems(
    items: Sequence[Perturbation], questions: Sequence[Question], covers: Sequence[Split] = SPLITS
) -> list[str]:
    """Everything wrong with a perturbation set that code can see, one line each; empty when it is fit to use.

    `questions` are all the questions, because the halves follow from them; `covers` are the halves that the set
    answers. A question of these without an answer is a problem, and so is an answer to a question of the other half.
    """
    known = {question.id: question for question in questions}
    half = splits(known)
    found: list[str] = []
    ids = Counter(item.id for item in items)
    texts = Counter(_plain(item.text) for item in items)
    asked = {item.question for item in items}
    found += [f"{name}: {count} items have this id" for name, count in ids.items() if count > 1]
    found += [f"{item.id}: the text is not unique" for item in items if texts[_plain(item.text)] > 1]
    found += [f"{name}: no answer to this question" for name in known if half[name] in covers and name not in asked]
    for item in items:
        if (question := known.get(item.question)) is None:
            found.append(f"{item.id}: there is no question {item.question}")
            continue
        if item.split != half[item.question]:
            found.append(f"{item.id}: belongs to {half[item.question]}, not to {item.split}")
        if half[item.question] not in covers:
            found.append(f"{item.id}: this set has no answers to {half[item.question]} questions")
        found += [f"{item.id}: {complaint}" for complaint in _complaints(item, question)]
    return found


def _plain(text: str) -> str:
    return " ".join(text.lower().split())


def _complaints(item: Perturbation, question: Question) -> Iterable[str]:
    if not item.text.strip() or not item.note.strip():
        yield "text and note may not be empty"
    if item.truth != TRUTH[item.kind]:
        yield f"the truth does not fit a {item.kind}"
    if question.answerable == (item.kind in UNANSWERABLE):
        yield f"a {item.kind} does not fit a question that is {'' if question.answerable else 'not '}answerable"
    if bool(item.broken) != (item.kind in BREAKING):
        yield f"a {item.kind} names {'some' if item.broken else 'no'} broken claims"
    if any(not 1 <= number <= len(question.claims) for number in item.broken):
        yield f"{question.id} has {len(question.claims)} claims"
    if item.kind == "dropped claim" and len(item.broken) >= len(question.claims):
        yield "no claim is left"
    if (item.altered is not None) != (item.kind == "changed number"):
        yield f"a {item.kind} {'has' if item.altered else 'lacks'} an altered number"
    elif item.altered is not None:
        yield from _number_complaints(item.text, item.altered, question)


def _number_complaints(text: str, altered: Altered, question: Question) -> Iterable[str]:
    claims = " ".join(claim.text for claim in question.claims)
    law = " ".join([claims, *(span.quote for span in question.gold)])
    if altered.was.lower() not in law.lower():
        yield f"neither claims nor gold spans say {altered.was!r}"
    if altered.was.lower() in text.lower():
        yield f"the text still says {altered.was!r}"
    if altered.now.lower() not in text.lower():
        yield f"the text does not say {altered.now!r}"
    if numbers(altered.now) <= numbers(claims):
        yield f"{altered.now!r} holds no number that the claims do not hold"
