"""Verdicts kept by content: the same judge asked about the same answer again need not measure it again.

The judge is told by its coefficients and the source of the modules that measure; an answer by the question with its
rubric, its text and the passages shown.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from triptych.legal_rag.judge import Case, Verdict
from triptych.legal_rag.kept import Kept

MEASURING = ("judge.py", "judge_features.py", "judge_rubric.py", "judge_space.py", "judge_text.py")


def kept(identity: str) -> Kept:
    """The file of verdicts of the judge with this identity."""
    return Kept("verdicts", identity, MEASURING)


def verdicts(identity: str, cases: Sequence[Case], judge: Callable[[list[Case]], list[Verdict]]) -> list[Verdict]:
    """One verdict a case, in order; `judge` is asked only about those that are not kept, each once.

    Raises DataError when the file of verdicts cannot be used.
    """
    contents = [[case.question.model_dump_json(), case.text, *case.passages] for case in cases]
    rows = kept(identity).values(
        contents, lambda places: [asdict(verdict) for verdict in judge([cases[place] for place in places])]
    )
    return [_verdict(row) for row in rows]


def _verdict(row: dict[str, Any]) -> Verdict:
    row["reasons"] = tuple(row["reasons"])
    row["scores"] = tuple((name, value) for name, value in row["scores"])
    return Verdict(**row)
