"""How valid a judge is: its verdicts on answers of known truth, kind by kind, with exact intervals.

*Positive* is an answer to be objected to (wrong or unsupported): sensitivity is the share of those that the judge
objects to, specificity the share of the right and supported ones that it accepts. An unparsed verdict is neither: it
counts as wrong on both, because nobody can use it, and its number is told.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pandas as pd

from triptych.errors import DataError, ParameterError
from triptych.legal_rag import agreement, perturbations
from triptych.legal_rag.agreement import exact_interval
from triptych.legal_rag.judge import Judge, Verdict, cases
from triptych.legal_rag.judge_error import Checked
from triptych.legal_rag.perturbations import KINDS, Perturbation
from triptych.legal_rag.questions import Question

SECOND = "second held-out"  # fresh answers to the held-out questions, for judges made after the first ones were used


def answers(part: str) -> list[Perturbation]:
    """The answers of "dev", of "held-out" (the first set's) or of `SECOND`. Raises ParameterError for another word."""
    if part == SECOND:
        return perturbations.load(perturbations.FILE_SECOND)
    found = [item for item in perturbations.load() if item.split == part]
    if not found:
        raise ParameterError(f"there are no answers called {part!r}", f"dev, held-out or {SECOND}")
    return found


def examine(
    judge: Judge, items: Sequence[Perturbation], questions: Sequence[Question], part: str | None = None
) -> pd.DataFrame:
    """A judge's verdict on each answer beside the truth, one row an answer. `part` stands for the half as `split`.

    Columns: id, question, split, kind, positive, judge, outcome, objects (boolean, missing when unparsed), right, and
    correct, grounded, abstained each with its truth (`true_…`).
    """
    said = judge.judge(cases(items, questions))
    if len(said) != len(items):
        raise ParameterError(f"{judge.name} gave {len(said)} verdicts on {len(items)} answers", "one verdict a case")
    table = pd.DataFrame([_row(item, verdict) for item, verdict in zip(items, said, strict=True)])
    return table if part is None else table.assign(split=part)


def _row(item: Perturbation, verdict: Verdict) -> dict[str, Any]:
    row: dict[str, Any] = {
        "id": item.id,
        "question": item.question,
        "split": item.split,
        "kind": item.kind,
        "positive": item.positive,
        "judge": verdict.judge,
        "outcome": verdict.outcome,
        "objects": verdict.objects,
        "right": verdict.objects == item.positive,
        "reasons": " | ".join(verdict.reasons),
    }
    for flag in ("correct", "grounded", "abstained"):
        row |= {flag: getattr(verdict, flag), f"true_{flag}": getattr(item.truth, flag)}
    return row


def by_kind(table: pd.DataFrame) -> pd.DataFrame:
    """Per judge, split and kind: how many answers were judged rightly, with the exact 95 % interval.

    Columns: judge, split, kind, measure ("sensitivity" or "specificity"), right, n, share, low, high, unparsed. Two
    rows more stand for each judge and split, of kind "all": the whole sensitivity and specificity.
    """
    rows: list[dict[str, Any]] = []
    for key, part in table.groupby(["judge", "split"], sort=False):
        judge, split = cast("tuple[str, str]", key)
        for positive, measure in ((True, "sensitivity"), (False, "specificity")):
            mine = part.loc[part["positive"] == positive]
            for kind in ("all", *KINDS):
                chosen = mine if kind == "all" else mine.loc[mine["kind"] == kind]
                if len(chosen):
                    rows.append({"judge": judge, "split": split, "kind": kind, "measure": measure, **_share(chosen)})
    return pd.DataFrame(rows)


def _share(chosen: pd.DataFrame) -> dict[str, Any]:
    right, n = int(_flags(chosen, "right").sum()), len(chosen)
    low, high = exact_interval(right, n)
    unparsed = chosen["outcome"].tolist().count("unparsed")
    return {"right": right, "n": n, "share": right / n, "low": low, "high": high, "unparsed": unparsed}


def _flags(table: pd.DataFrame, column: str) -> npt.NDArray[np.bool_]:
    """A column of booleans; a missing one (unparsed) is False."""
    return np.array([value is not None and value == True for value in table[column].tolist()], dtype=bool)  # noqa: E712


def overall(table: pd.DataFrame, split: str) -> tuple[Checked, Checked]:
    """Sensitivity and specificity (of objections) of one judge's table on one half of the questions."""
    part = table.loc[table["split"] == split]
    if not len(part):
        raise ParameterError(f"no answer of the half {split!r} was judged", "dev or held-out")
    right, positive = _flags(part, "right"), _flags(part, "positive")
    return Checked(int(right[positive].sum()), int(positive.sum())), Checked(
        int(right[~positive].sum()), int((~positive).sum())
    )


def worst_kind(table: pd.DataFrame, split: str) -> tuple[str, float]:
    """The kind that one judge gets right least often on one half, and how often."""
    part = table.loc[table["split"] == split]
    right, kinds = _flags(part, "right"), np.array(part["kind"].tolist())
    shares = {str(kind): float(right[kinds == kind].mean()) for kind in dict.fromkeys(kinds.tolist())}
    worst = min(shares, key=lambda kind: shares[kind])
    return worst, shares[worst]


def for_correct(table: pd.DataFrame, split: str = "held-out") -> tuple[Checked, Checked]:
    """What `judge_error` needs to correct a share of correct answers: the share of truly correct answers that the judge
    passes, and of wrong ones that it fails. Unparsed verdicts pass nothing."""
    part = table.loc[table["split"] == split]
    said, truth = _flags(part, "correct"), _flags(part, "true_correct")
    return Checked(int((said & truth).sum()), int(truth.sum())), Checked(
        int((~said & ~truth).sum()), int((~truth).sum())
    )


def calibration(table: pd.DataFrame, judge: str, split: str) -> tuple[Checked, Checked] | None:
    """`for_correct` of the judge called so; None when it was not measured on right and on wrong answers of that half.

    A judge's errors are its own: where there is None, nothing that it judged can be corrected.
    """
    own = table.loc[(table["judge"] == judge) & (table["split"] == split)]
    return for_correct(own, split) if set(_flags(own, "true_correct").tolist()) == {True, False} else None


def agreement_with_truth(table: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """Cohen κ, Gwet AC1 and Krippendorff α of each judge with the truth, per split, on the objection."""
    rows: list[pd.DataFrame] = []
    for key, part in table.groupby(["judge", "split"], sort=False):
        judge, split = cast("tuple[str, str]", key)
        objects, read = _flags(part, "objects"), part["outcome"].tolist()
        said = [bool(value) if outcome == "judged" else None for value, outcome in zip(objects, read, strict=True)]
        found = agreement.summary([said, part["positive"].tolist()], seed=seed)
        rows.append(found.assign(judge=judge, split=split))
    return pd.concat(rows, ignore_index=True)


def agreement_between(table: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """Cohen κ, Gwet AC1 and Krippendorff α of the judges with one another, per split, on the objection.

    Every pair of judges, and with three or more all together, over the answers that `table` holds of each of them (one
    row an answer and judge). Columns: split, judges, then those of `agreement.summary`, and the plain share of answers
    on which all agree. Judges that cannot be compared have the reason for a name. Empty for a single judge. Raises
    ParameterError when the judges have not judged the same answers.
    """
    rows: list[pd.DataFrame] = []
    for split, part in table.groupby("split", sort=False):
        said: dict[str, dict[str, bool | None]] = {}
        for judge, own in part.groupby("judge", sort=False):
            read = zip(own["id"].tolist(), _flags(own, "objects"), own["outcome"].tolist(), strict=True)
            said[str(judge)] = {str(name): bool(value) if how == "judged" else None for name, value, how in read}
        ids = list(next(iter(said.values())))
        if any(set(each) != set(ids) for each in said.values()):
            raise ParameterError(f"the judges have not judged the same {split} answers", "examine each on all of them")
        groups = list(itertools.combinations(said, 2)) + ([tuple(said)] if len(said) > 2 else [])
        for group in groups:
            columns = [[said[judge][name] for name in ids] for judge in group]
            together = [len({*verdicts}) == 1 for verdicts in zip(*columns, strict=True) if None not in verdicts]
            try:
                found = agreement.summary(columns, seed=seed)
            except DataError as error:  # no answer that both could be read on: told, and the others still compared
                found = pd.DataFrame([{"name": error.message, "value": np.nan, "items": len(together)}])
            share = float(np.mean(together)) if together else np.nan
            rows.append(found.assign(split=split, judges=" / ".join(group), agree=share))
    if not rows:
        return pd.DataFrame(columns=["split", "judges", "agree", "name", "value", "error", "low", "high", "items"])
    whole = pd.concat(rows, ignore_index=True)
    return whole.reindex(columns=["split", "judges", "agree", "name", "value", "error", "low", "high", "items"])


def printed_as(shown: float, sizes: Sequence[int]) -> pd.DataFrame:
    """What a judge printed as `shown` right (0.99) may be, by the number n of items it was checked on.

    For each n every count that rounds to the printed per cent, with the exact 95 % interval; a size that no count fits
    is left out. Columns: n, right, share, low, high.
    """
    rows: list[dict[str, Any]] = []
    for n in sizes:
        for right in range(n + 1):
            if round(100 * right / n) == round(100 * shown):
                low, high = exact_interval(right, n)
                rows.append({"n": n, "right": right, "share": right / n, "low": low, "high": high})
    return pd.DataFrame(rows, columns=["n", "right", "share", "low", "high"])
