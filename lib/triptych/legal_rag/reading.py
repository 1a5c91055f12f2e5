"""Tables of notebooks 03 and 04 in sentences, written from the numbers each time, so that the two cannot disagree."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import pandas as pd

LEVEL = 0.05


def tests(table: pd.DataFrame, phrasings: tuple[str, str]) -> list[str]:
    """What the Wald tests say, one sentence a measure and effect; where the two phrasings disagree it says so.
    The same phrasing named twice is one.

    `table` has the columns measure, effect, and for each phrasing "… χ²" and "… p".
    """
    found: list[str] = []
    names = list(dict.fromkeys(phrasings))
    for row in table.to_dict("records"):
        shown = [float(row[f"{name} p"]) < LEVEL for name in names]
        values = " and ".join(f"{_p(float(row[f'{name} p']))} ({name})" for name in names)
        subject = f"{str(row['measure']).capitalize()}, {row['effect']}: {values}."
        if all(shown):
            found.append(f"{subject} An effect{' in both phrasings' if len(names) > 1 else ''}.")
        elif any(shown):
            found.append(f"{subject} An effect in the {names[shown.index(True)]} phrasing only: not settled.")
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


def judge(
    table: pd.DataFrame,
    name: str,
    split: str,
    bar: float,
    kind_bar: float,
    forecasts: Mapping[str, Mapping[str, float]] | None = None,
) -> list[str]:
    """How one judge did on one part of the answers, against bars on the whole and on each kind, and beside the others.

    `table` is that of `judge_validity.by_kind`. `forecasts` are sensitivity and specificity as they were expected
    before these answers were judged, by what was assumed.
    """
    part = table.loc[table["split"] == split]
    own = part.loc[part["judge"] == name]
    whole, kinds = own.loc[own["kind"] == "all"], own.loc[own["kind"] != "all"]
    found: list[str] = []
    for row in whole.to_dict("records"):
        measure = str(row["measure"])
        hoped = ", ".join(f"{values[measure]:.2f} for a {word}" for word, values in (forecasts or {}).items())
        found.append(
            f"{name} on the {split} answers: {measure} {row['share']:.2f}, {row['right']} of {row['n']}, interval "
            f"{row['low']:.2f} to {row['high']:.2f}{f' (forecast {hoped})' if hoped else ''}; it "
            f"{'reaches' if float(row['share']) >= bar else 'misses'} the bar of {bar:.2f}."
        )
    low = kinds.loc[kinds["share"] < kind_bar].sort_values("share", kind="stable")
    found.append(
        f"Kinds below {kind_bar:.2f}: {_kinds(low)}."
        if len(low)
        else f"No kind is below {kind_bar:.2f}: {_kinds(kinds)}."
    )
    for other in dict.fromkeys(part["judge"]):
        theirs = part.loc[(part["judge"] == other) & (part["measure"] == "sensitivity") & (part["kind"] != "all")]
        blind = theirs.loc[theirs["share"] < 0.5]
        if other != name and len(blind):
            mine = kinds.loc[(kinds["measure"] == "sensitivity") & kinds["kind"].isin(blind["kind"])]
            found.append(f"{other} lets most answers pass of {_kinds(blind)}; {name} there: {_kinds(mine)}.")
    return found


def probes(table: pd.DataFrame, name: str) -> list[str]:
    """What moved the verdicts of one judge that nothing should move. Columns: judge, flag, probe, n, share."""
    own = table.loc[(table["judge"] == name) & table["flag"].isin(["correct", "grounded"])]
    still, found = list[str](), list[str]()
    for probe in dict.fromkeys(own["probe"]):
        part = own.loc[own["probe"] == probe]
        n = int(part["n"].max())
        if not n:
            found.append(f"{name}, {probe}: no verdict to compare.")
        elif part["share"].max() > 0:
            moved = ", ".join(f"{100 * row['share']:.0f} % of {row['flag']}" for row in part.to_dict("records"))
            found.append(f"{name}, {probe} ({n} answers): turned {moved}.")
        else:
            still.append(f"{probe} ({n} answers)")
    return [*found, *([f"{name}, {', '.join(still)}: no verdict turned."] if still else [])]


def floor(table: pd.DataFrame, lowest: float) -> str:
    """Whether a borrowed calibration can hold: no arm can be reported below the share of wrong answers that pass.

    That share is `lowest`; columns: arm, judged.
    """
    below = table.loc[table["judged"] < lowest, "arm"].tolist()
    said = f"With these errors a judge reports {100 * lowest:.0f} % as correct where every answer is wrong."
    if not below:
        return f"{said} No arm is reported below that."
    return (
        f"{said} {len(below)} of {len(table)} arms are reported below that ({', '.join(below)}): on those answers the "
        "judge passes fewer wrong ones than it did where it was measured, so the calibration does not hold for them. "
        "Their corrected 0, however short its interval, is no finding."
    )


def _kinds(rows: pd.DataFrame) -> str:
    return ", ".join(f"{row['kind']} {row['share']:.2f}" for row in rows.to_dict("records"))


def _p(value: float, bare: bool = False) -> str:
    if value < 0.001:
        return "< .001" if bare else "p < .001"
    return f"{value:.3f}" if bare else f"p = {value:.3f}"
