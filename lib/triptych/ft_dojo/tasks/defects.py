"""Damage that real training data has, planted on purpose so that an agent can be asked to find it."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from triptych.errors import ParameterError
from triptych.ft_dojo.tasks.base import Item, Row

KINDS: dict[str, str] = {
    "wrong_label": "the answer is another one, of a likely kind",
    "shifted_scale": "the answer is in another unit, scale or convention",
    "mixed_format": "the answer is right, in another notation",
    "missing_solution": "the answer is empty",
    "truncated": "the question breaks off",
    "swapped_columns": "question and answer stand in each other's column",
    "exact_duplicate": "the row repeats another one",
    "near_duplicate": "the row asks another one's question in other words",
}
RESERVED: dict[str, str] = {
    "shifted_rows": "in a run of rows, each has the answer of the one before",
    "conflicting_duplicate": "the row repeats another one's question with another answer",
    "placeholder_answer": "the answer is copied from the question",
}
# A row damaged like this still tells its right answer to one who knows what was done.
REPAIRABLE = ("shifted_scale", "mixed_format", "swapped_columns")
SHARES = {
    "wrong_label": 0.17,
    "shifted_scale": 0.17,
    "mixed_format": 0.12,
    "missing_solution": 0.04,
    "truncated": 0.04,
    "swapped_columns": 0.04,
    "exact_duplicate": 0.04,
    "near_duplicate": 0.04,
}
RESERVED_SHARES = {"shifted_rows": 0.05, "conflicting_duplicate": 0.05, "placeholder_answer": 0.05}
MOST = 0.9  # of the rows may be damaged


@dataclass(frozen=True)
class Tools:
    """What damage needs to know of a task: see `recipe.Recipe`; `paraphrase` gives an item's question reworded."""

    paraphrase: Callable[[Item, random.Random], str]
    wrong: Callable[[Item, random.Random], str]
    notation: Callable[[str], str] | None
    shift: Callable[[Item], str] | None


def chosen(shares: Mapping[str, float], tools: Tools, *, reserved: bool) -> dict[str, float]:
    """The share of rows to damage, by kind: `shares` without what the task has no means for, with the reserved kinds
    if wanted.

    Raises ParameterError for an unknown or negative kind, or more than nine rows in ten damaged in sum.
    """
    known = {**KINDS, **RESERVED}
    if unknown := sorted(set(shares) - set(known)):
        raise ParameterError(f"no defect is called {unknown[0]!r}", f"defects: {', '.join(known)}")
    wanted = {**(RESERVED_SHARES if reserved else {}), **shares}
    if tools.notation is None:
        wanted.pop("mixed_format", None)
    if tools.shift is None:
        wanted.pop("shifted_scale", None)
    if any(share < 0 for share in wanted.values()) or sum(wanted.values()) > MOST:
        raise ParameterError(
            f"defect shares {wanted} are not usable", f"shares from 0, at most {MOST:.0%} of the rows in sum"
        )
    return {kind: wanted[kind] for kind in known if kind in wanted}


def plant(
    items: Sequence[Item], shares: Mapping[str, float], tools: Tools, rng: random.Random
) -> tuple[tuple[Row, ...], tuple[tuple[str, str], ...]]:
    """Damage a share of `items` per kind; the public rows, and what was done as (kind, row id).

    The number of rows stays the same: a duplicate overwrites another row, as in a pool that was sampled with
    repetition. No row is damaged twice, and what is duplicated is sound. Rows whose damage would change nothing (a
    question too short to break off) are left alone and not reported.
    """
    clean = [Row(item.id, item.question, item.answer, item.options) for item in items]
    rows = list(clean)
    free = rng.sample(range(len(rows)), len(rows))
    planted: list[tuple[str, str]] = []
    run = round(shares.get("shifted_rows", 0.0) * len(rows))
    if run:
        start = rng.randrange(1, len(rows) - run)
        for place in range(start, start + run):
            rows[place] = replace(rows[place], answer=clean[place - 1].answer)
        free = [place for place in free if not start <= place < start + run]
        moved = [place for place in range(start, start + run) if rows[place] != clean[place]]
        planted += [("shifted_rows", clean[place].id) for place in moved]
    counts = {kind: round(share * len(rows)) for kind, share in shares.items() if kind != "shifted_rows"}
    todo = [kind for kind, count in counts.items() for _ in range(count)]
    damaged, sound = free[: len(todo)], free[len(todo) :]
    for kind, place in zip(todo, damaged, strict=True):
        rows[place] = _damage(kind, place, items, sound, tools, rng)
        if rows[place] != clean[place]:
            planted.append((kind, clean[place].id))
    return tuple(rows), tuple(sorted(planted))


def _damage(
    kind: str, place: int, items: Sequence[Item], sound: Sequence[int], tools: Tools, rng: random.Random
) -> Row:
    item = items[place]
    whole = Row(item.id, item.question, item.answer, item.options)
    if kind == "wrong_label":
        return replace(whole, answer=tools.wrong(item, rng))
    if kind == "shifted_scale" and tools.shift is not None:
        return replace(whole, answer=tools.shift(item))
    if kind == "mixed_format" and tools.notation is not None:
        return replace(whole, answer=tools.notation(item.answer))
    if kind == "missing_solution":
        return replace(whole, answer="")
    if kind == "truncated":
        words = item.question.split()
        return replace(whole, question=" ".join(words[: rng.randint(len(words) // 4, len(words) // 2)]))
    if kind == "swapped_columns":
        return replace(whole, question=item.answer, answer=item.question)
    if kind == "placeholder_answer":
        return replace(whole, answer=rng.choice(item.question.split()))
    # What remains repeats a sound row.
    other = items[rng.choice(sound)]
    repeated = Row(item.id, other.question, other.answer, other.options)
    if kind == "near_duplicate":
        return replace(repeated, question=tools.paraphrase(other, rng))
    if kind == "conflicting_duplicate":
        return replace(repeated, answer=tools.wrong(other, rng))
    return repeated
