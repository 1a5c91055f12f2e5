"""Two naive judges, so that a reader sees what the rubric judge adds: likeness to the reference answer, nothing else.

A judge of this sort is what many pipelines use. Each has one number for an answer and one threshold, chosen on the dev
half of the perturbation set (where it passes right answers as often as it refuses wrong ones). It cannot tell wrong
from unsupported, so `correct` and `grounded` are one verdict.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from triptych.errors import ParameterError
from triptych.legal_rag import lexical
from triptych.legal_rag.embed import Embedder
from triptych.legal_rag.judge import Case, Verdict

Scores = Callable[[Sequence[Case]], list[float]]


def stem_overlap(cases: Sequence[Case]) -> list[float]:
    """Share of the reference answer's content stems that the answer has, from 0 to 1."""
    return [lexical.overlap(case.question.answer, case.text).share for case in cases]


def embedding_likeness(cases: Sequence[Case]) -> list[float]:
    """Cosine of MiniLM's vectors of the answer and the reference answer; 0 for an empty answer."""
    embedder = Embedder("MiniLM")
    given = embedder.texts([case.text or "-" for case in cases])
    wanted = embedder.texts([case.question.answer for case in cases])
    return [float(a @ b) if case.text.strip() else 0.0 for case, a, b in zip(cases, given, wanted, strict=True)]


SCORES: dict[str, Scores] = {"stem overlap": stem_overlap, "embedding likeness": embedding_likeness}


class Baseline:
    """Passes an answer whose score reaches the threshold."""

    def __init__(self, name: str, threshold: float) -> None:
        if name not in SCORES:
            raise ParameterError(f"there is no baseline {name!r}", f"baselines: {', '.join(SCORES)}")
        self.name, self.threshold = name, threshold

    def judge(self, cases: Sequence[Case]) -> list[Verdict]:
        """One verdict a case, in order."""
        return [
            Verdict(
                self.name,
                score >= self.threshold,
                score >= self.threshold,
                False,
                (f"{self.name} with the reference answer {score:.2f}, needs {self.threshold:.2f}",),
            )
            for score in SCORES[self.name](cases)
        ]


def fitted(name: str, cases: Sequence[Case], positive: Sequence[bool]) -> Baseline:
    """The baseline whose threshold makes the smaller of sensitivity and specificity on these cases largest."""
    scores, wrong = np.array(SCORES[name](cases)), np.array(positive, dtype=bool)
    if not wrong.any() or wrong.all():
        raise ParameterError("a threshold needs right and wrong answers", "fit it on the whole dev half")
    cuts = np.unique(scores)
    worth = [min(float((scores[wrong] < cut).mean()), float((scores[~wrong] >= cut).mean())) for cut in cuts]
    return Baseline(name, float(cuts[int(np.argmax(worth))]))
