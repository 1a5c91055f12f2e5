"""What came of hypotheses: a prediction about the val score against the difference that feedback measured.

Read after the fact, for a language model's next prompt and for whoever looks at a run. No rule decides by it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from triptych.ft_dojo.agents import feedback
from triptych.ft_dojo.agents.plan import Scored, Situation
from triptych.ft_dojo.environment.session import BASE
from triptych.ft_dojo.trajectory import Note, Step

Came = Literal["confirmed", "refuted", "left open"]


def came(direction: str, gap: float, error: float) -> Came:
    """What a difference of val scores and its standard error say of a score that was to go `direction` (up or down).

    With the same certainty that accepts a plan: a difference within its error leaves the hypothesis open.
    """
    moved = gap if direction == "up" else -gap
    if abs(moved) <= feedback.CERTAIN * error:
        return "left open"
    return "confirmed" if moved > 0 else "refuted"


def of_siblings(situation: Situation) -> list[Came | None]:
    """What came of each sibling's hypothesis, against the best plan of its time; None without structured feedback."""
    look, found = situation.look, list[Came | None]()
    best: Sequence[Scored] = [Scored(model=BASE, seed=0, score=look.base_score, n=look.n)]
    for tried in situation.siblings:
        structured = tried.curve is not None
        gap = feedback.difference(tried.runs, best) if structured and tried.runs else None
        found.append(came(tried.plan.hypothesis.direction, *gap) if gap else None if tried.runs else "left open")
        if tried.decision == "accept":
            best = tried.runs
    return found


_SAID = re.compile(r": val goes (up|down), because ")  # plan.Hypothesis, as text
_MEASURED = re.compile(r"difference ([+-][\d.]+) with standard error ([\d.]+)")  # feedback.judge, as text


def told(steps: Sequence[Step]) -> list[Step]:
    """Steps whose notes of a decision also say what came of the hypothesis that was tried."""
    direction, found = "", list[Step]()
    for step in steps:
        notes = list[Note]()
        for note in step.notes:
            if said := _SAID.search(note.text):
                direction = said[1]
            measured = _MEASURED.search(note.text) if note.kind in ("accept", "reject", "repeat") else None
            text = note.text
            if measured and direction:
                text += f"; hypothesis {came(direction, float(measured[1]), float(measured[2]))}"
            notes.append(replace(note, text=text))
        found.append(replace(step, notes=tuple(notes)))
    return found
