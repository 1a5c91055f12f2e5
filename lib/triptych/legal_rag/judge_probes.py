"""Does something sway a judge that should not? The passages in another order, or an answer padded with empty words.

The same answers are judged again, changed in a way that cannot change the truth; every verdict that differs is the
judge's. The rubric judge reads passages as a set, so order cannot move it; padding can. Any judge can be probed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from triptych.legal_rag.agreement import exact_interval
from triptych.legal_rag.judge import Case, Judge

# Sentences that state no law and no fact. Put before and after an answer they make it longer, not better or worse.
PREFACE = "Thank you for this interesting question, which many people ask themselves."
AFTERWORD = (
    "I hope that this explanation is helpful to you. It was written with care and to the best of my ability. "
    "Please do not hesitate to come back to me if anything is still unclear."
)


def reversed_passages(case: Case) -> Case:
    """The passages in reverse order."""
    return replace(case, passages=case.passages[::-1])


def shuffled_passages(seed: int = 0) -> Callable[[Case], Case]:
    """The passages in a random order of their own for each case."""

    def change(case: Case) -> Case:
        random = np.random.default_rng([seed, len(case.text), len(case.passages)])
        order = random.permutation(len(case.passages))
        return replace(case, passages=tuple(case.passages[k] for k in order))

    return change


def padded(case: Case) -> Case:
    """The answer between a polite preface and a polite afterword."""
    return replace(case, text=f"{PREFACE} {case.text} {AFTERWORD}")


def repeated(case: Case) -> Case:
    """The answer twice: twice as long, and not a word more in it. An empty one stays empty."""
    return replace(case, text=f"{case.text} {case.text}") if case.text.strip() else case


PROBES: dict[str, Callable[[Case], Case]] = {
    "passages reversed": reversed_passages,
    "passages shuffled": shuffled_passages(),
    "answer padded": padded,
    "answer repeated": repeated,
}


def probe(judge: Judge, cases: Sequence[Case], probes: dict[str, Callable[[Case], Case]] | None = None) -> pd.DataFrame:
    """How often each change moved a verdict, by flag and direction.

    Columns: judge, probe, flag, n, to_better, to_worse, share (of verdicts moved), low, high (exact 95 %), unread
    (pairs of which one verdict could not be read), unchanged (cases that the change leaves as they are, such as a
    single passage in another order). `to_better`: correct or grounded turned true. Neither unread nor unchanged cases
    are in n, and the latter are not judged again; with n = 0 the share is missing.
    """
    before = judge.judge(cases)
    rows: list[dict[str, Any]] = []
    for name, change in (PROBES if probes is None else probes).items():
        changed = [change(case) for case in cases]
        moved = [place for place, case in enumerate(cases) if changed[place] != case]
        after = judge.judge([changed[place] for place in moved])
        for flag in ("correct", "grounded", "abstained"):
            pairs = [(getattr(before[a], flag), getattr(b, flag)) for a, b in zip(moved, after, strict=True)]
            read = [(a, b) for a, b in pairs if a is not None and b is not None]
            better, worse = sum(b and not a for a, b in read), sum(a and not b for a, b in read)
            low, high = exact_interval(better + worse, len(read)) if read else (np.nan, np.nan)
            rows.append(
                {
                    "judge": judge.name,
                    "probe": name,
                    "flag": flag,
                    "n": len(read),
                    "to_better": better,
                    "to_worse": worse,
                    "share": (better + worse) / len(read) if read else np.nan,
                    "low": low,
                    "high": high,
                    "unread": len(pairs) - len(read),
                    "unchanged": len(cases) - len(moved),
                }
            )
    return pd.DataFrame(rows)
