"""The tables of notebook 03 in sentences, written from the numbers each time, so that the two cannot disagree."""

from __future__ import annotations

from typing import cast

import pandas as pd

LEVEL = 0.05


def tests(table: pd.DataFrame, phrasings: tuple[str, str]) -> list[str]:
    """What the Wald tests say, one sentence a measure and effect; where the two phrasings disagree it says so.

    `table` has the columns measure, effect, and for each phrasing "… χ²" and "… p".
    """
    found: list[str] = []
    for row in table.to_dict("records"):
        shown = [float(row[f"{name} p"]) < LEVEL for name in phrasings]
        values = " and ".join(f"{_p(float(row[f'{name} p']))} ({name})" for name in phrasings)
        subject = f"{str(row['measure']).capitalize()}, {row['effect']}: {values}."
        if all(shown):
            found.append(f"{subject} An effect in both phrasings.")
        elif any(shown):
            found.append(f"{subject} An effect in the {phrasings[shown.index(True)]} phrasing only: not settled.")
        else:
            found.append(f"{subject} No effect shown, which is not the same as no effect.")
    return found


def variants(table: pd.DataFrame) -> list[str]:
    """For each measure and effect whether all variants fall on one side of 0.05. Columns: measure, effect, p."""
    found: list[str] = []
    for key, part in table.dropna(subset=["p"]).groupby(["measure", "effect"], sort=False):
        measure, effect = cast("tuple[str, str]", key)
        values = [float(value) for value in part["p"].tolist()]
        below = sum(value < LEVEL for value in values)
        span = f"p from {_p(min(values), bare=True)} to {_p(max(values), bare=True)}"
        verdict = {0: "none of them finds it", len(values): "all of them find it"}.get(
            below, f"{below} of {len(values)} find it, so it hangs on the choice"
        )
        found.append(f"{measure.capitalize()}, {effect}: {len(values)} variants, {span}; {verdict}.")
    return found


def equivalence(table: pd.DataFrame, margin: float) -> list[str]:
    """Whether two generators differ, are shown equal within the margin, or neither, for each measure and retriever."""
    found: list[str] = []
    for row in table.to_dict("records"):
        differs, same = float(row["Holm p"]) < LEVEL, float(row[f"p, within ±{margin:g}"]) < LEVEL
        points = 100 * float(row["difference"])
        needed = 100 * float(row["margin needed"])
        verdict = (
            "they differ"
            if differs
            else f"equal within {100 * margin:g} points"
            if same
            else f"neither a difference nor equality is shown; a margin of {needed:.0f} points would have passed"
        )
        found.append(
            f"{str(row['measure']).capitalize()}, {row['retriever']}, {row['pair']}: {points:+.1f} points; {verdict}."
        )
    return found


def _p(value: float, bare: bool = False) -> str:
    if value < 0.001:
        return "< .001" if bare else "p < .001"
    return f"{value:.3f}" if bare else f"p = {value:.3f}"
