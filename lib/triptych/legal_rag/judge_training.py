"""Answers and sentences written to fit the rubric judge on, beside the dev half of the perturbation set.

judge_training.jsonl: answers to dev questions in pieces, each piece with the claims that it says, some with a wording
that says the opposite, and statements that nothing supports. Put together in other ways they give right answers, padded
ones, answers that lack a claim, deny one or add a statement. They are written in nine voices (telegraphic, plain,
legal, long, lists, letters, restating the question, correct but foreign, and the early ones), because a judge that
knows one hand misjudges the next. judge_sentences.jsonl: sentences that refuse to answer, that state something, that
are merely polite. All of it was written by hand from questions, claims, gold spans and the dev half of the perturbation
set, whose texts are not repeated here; no text of a held-out half was known to the writer.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from triptych.legal_rag.questions import rows

FILE = Path(__file__).with_name("judge_training.jsonl")
_ITEM = re.compile(r"(?:[-•*]|\d{1,2}\.) ")  # how an item of a list begins
SENTENCES = Path(__file__).with_name("judge_sentences.jsonl")
Sort = Literal["right", "padded", "dropped", "flipped", "added"]


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Piece(_Row):
    """Part of an answer, the numbers of the claims that it says (from 1), and a wording that denies them."""

    says: tuple[int, ...]
    text: str
    flipped: str | None = None


class Written(_Row):
    """A right answer in pieces, and statements that the law does not support; `voice` is its manner of writing."""

    question: str
    voice: str = "early"
    pieces: tuple[Piece, ...]
    additions: tuple[str, ...]


class Sentence(_Row):
    """A sentence and what it does."""

    sort: Literal["refusal", "statement", "courtesy"]
    text: str


@dataclass(frozen=True)
class Example:
    """An answer put together from pieces: what was done to it, the claims broken by it, the statement added."""

    question: str
    sort: Sort
    text: str
    broken: tuple[int, ...] = ()
    added: str = ""
    voice: str = ""


def load(path: Path = FILE) -> list[Written]:
    """The answers in pieces. Raises DataError that names the line and what is wrong with it."""
    return rows(path, Written, "training answer")


def sentences(path: Path = SENTENCES) -> list[Sentence]:
    """The sentences by what they do. Raises DataError that names the line and what is wrong with it."""
    return rows(path, Sentence, "training sentence")


def examples(written: Sequence[Written], polite: Sequence[str], seed: int = 0) -> list[Example]:
    """Every answer as it is, padded, with each piece left out, each piece denied, each statement added once.

    Paddings and the places of additions are drawn with `seed`; an addition stands where a sentence may begin.
    """
    draw = random.Random(seed)
    found: list[Example] = []
    for answer in written:
        name, voice, texts = answer.question, answer.voice, [piece.text for piece in answer.pieces]
        found.append(Example(name, "right", join(texts), voice=voice))
        found.append(Example(name, "padded", join([draw.choice(polite), *texts, draw.choice(polite)]), voice=voice))
        for place, piece in enumerate(answer.pieces):
            rest = [*texts[:place], *texts[place + 1 :]]
            if piece.says and any(other.says for other in answer.pieces if other is not piece):
                found.append(Example(name, "dropped", join(rest), piece.says, voice=voice))
            if piece.flipped:
                denied = [*texts[:place], piece.flipped, *texts[place + 1 :]]
                found.append(Example(name, "flipped", join(denied), piece.says, voice=voice))
        starts = [k for k in range(len(texts) + 1) if k in (0, len(texts)) or texts[k][0].isupper()]
        for added in answer.additions:
            place = draw.choice(starts)
            text = join([*texts[:place], added, *texts[place:]])
            found.append(Example(name, "added", text, added=added, voice=voice))
    return found


def join(parts: Sequence[str]) -> str:
    """One text out of pieces, which may begin with a comma or in the middle of a sentence.

    A capital or a bracket begins a sentence, a small letter after a full stop is made a capital, an item of a list
    begins a line.
    """
    text = ""
    for part in (part.strip() for part in parts):
        if not text:
            part = part.lstrip(",;: ")
            text = part[:1].upper() + part[1:]
        elif _ITEM.match(part):
            text = f"{text.rstrip()}\n{part}"
        elif part[0] in ",;:.":
            text = text.rstrip(".;:,") + part
        else:
            if part[0].isupper() or part[0] == "(":
                text = re.sub(r",$", ".", text)
                text += "" if text[-1] in ".;:!?)" else "."
            elif text[-1] in ".!?":
                part = part[0].upper() + part[1:]
            text += f" {part}"
    text = text.rstrip(",;: ")
    return text if text[-1] in ".!?)" else f"{text}."
