"""Four table tasks, in the manner of TableInstruct: data analysis, fact checking, numerical reasoning, visualisation.

Tables have four to eight rows of single digits, written out as text. The splits share neither wordings nor tables.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence

from triptych.ft_dojo.tasks.base import LABELS, Item
from triptych.ft_dojo.tasks.recipe import Allowed, Draft, Recipe, grid

NAMES = ("north", "south", "east", "west", "coast", "hills", "lakes", "woods")
VALUES = ("votes", "goals", "sales", "visits")
CATEGORIES = ("team", "month", "region", "shop")
ROWS = 4  # of a table that a fact is checked in
ANALYSED = 4  # of one whose extremes are sought
NUMBERS = 4  # of one whose cells are reckoned with
LARGEST = 9
LARGEST_ANALYSED = 30  # where extremes are sought
LARGEST_CHECKED = 15  # where facts are checked
# What a chart shows, and the mark that shows it.
BY_LETTER = 0.5  # share of charts whose x is told by its column's letter
MARKS = {"compare": "bar", "trend": "line", "share": "pie", "relation": "point"}
AGGREGATES = {"total": "sum", "average": "mean", "number": "count", "peak": "max"}

TABLE = "{table} ."


def _table(rng: random.Random, distinct: bool, rows: int = ROWS, largest: int = LARGEST) -> tuple[list[str], list[int]]:
    names: list[str] = rng.sample(NAMES, rows)
    cells = range(1, largest + 1)
    values = rng.sample(cells, rows) if distinct else rng.choices(cells, k=rows)
    return names, values


def _text(names: Sequence[str], values: Sequence[int]) -> str:
    return " , ".join(f"{name} {value}" for name, value in zip(names, values, strict=True))


def _key(names: Sequence[str], values: Sequence[int]) -> str:
    # A table with its rows in another order is the same table.
    return _text(*zip(*sorted(zip(names, values, strict=True)), strict=True))


def cells(question: str) -> dict[str, int]:
    """The table of a question, read back from its text."""
    words = question.split()
    pairs = itertools.pairwise(words)
    return {name: int(value) for name, value in pairs if name in NAMES and value.isdigit()}


def _draw_analysis(rng: random.Random, allowed: Allowed, turn: int) -> Draft | None:
    names, values = _table(rng, distinct=True, rows=ANALYSED, largest=LARGEST_ANALYSED)
    kind = rng.choice(("most", "least"))
    right = values.index(max(values) if kind == "most" else min(values))
    fill = {"table": _text(names, values), "value": rng.choice(VALUES)}
    return Draft(kind, (kind, fill["table"]), fill, names[right], key=_key(names, values))


def _draw_fact(rng: random.Random, allowed: Allowed, turn: int) -> Draft | None:
    names, values = _table(rng, distinct=True, largest=LARGEST_CHECKED)
    place, true = rng.randrange(ROWS), turn % 2 == 0
    # A false claim names a number of the table, in another row: "is it in the table at all" must not tell.
    claimed = values[place if true else rng.choice([row for row in range(ROWS) if row != place])]
    fill = {"table": _text(names, values), "value": rng.choice(VALUES), "name": names[place], "claimed": claimed}
    answer = "true" if true else "false"
    slots = (fill["table"], names[place], claimed)
    return Draft("cell", slots, fill, answer, key=_key(names, values))


def _draw_number(rng: random.Random, allowed: Allowed, turn: int) -> Draft | None:
    names, values = _table(rng, distinct=False, rows=NUMBERS)
    kind = rng.choice(("sum", "difference"))
    one, other = rng.sample(range(NUMBERS), 2)
    if kind == "difference" and values[one] < values[other]:
        one, other = other, one
    answer = values[one] + values[other] if kind == "sum" else values[one] - values[other]
    fill = {"table": _text(names, values), "value": rng.choice(VALUES), "one": names[one], "other": names[other]}
    slots = (kind, fill["table"], names[one], names[other])
    return Draft(kind, slots, fill, str(answer), key=_key(names, values))


def _draw_chart(rng: random.Random, allowed: Allowed, turn: int) -> Draft | None:
    kind = rng.choice(tuple(MARKS))
    names = rng.sample([*VALUES, *CATEGORIES], 4)
    x, y = rng.sample(names, 2)
    word = rng.choice(tuple(AGGREGATES))
    columns = " ".join(f"{letter} {name}" for letter, name in zip(LABELS, names, strict=True))
    told = LABELS[names.index(x)] if rng.random() < BY_LETTER else x
    fill = {"columns": columns, "x": told, "y": y, "how": word}
    answer = f"mark {MARKS[kind]} x {x} y {y} aggregate {AGGREGATES[word]}"
    return Draft(kind, (kind, x, y, word, columns), fill, answer)


def _other_name(item: Item, rng: random.Random) -> str:
    """Another region of the table."""
    return rng.choice([name for name in cells(item.question) if name != item.answer])


def _flipped(item: Item, rng: random.Random | None = None) -> str:
    return "false" if item.answer == "true" else "true"


def _one_operand(item: Item, rng: random.Random) -> str:
    """One of the two cells instead of their sum or difference."""
    table = cells(item.question)
    wrong = {table[str(name)] for name in item.slots[2:]} - {int(item.answer)}
    return str(rng.choice(sorted(wrong) or [int(item.answer) + 1]))


def _other_chart(item: Item, rng: random.Random) -> str:
    """The axes exchanged."""
    kind, x, y, word, _ = map(str, item.slots)
    return f"mark {MARKS[kind]} x {y} y {x} aggregate {AGGREGATES[word]}"


def _bars_for_all(item: Item) -> str:
    """An older tool's export, in which every chart is of bars and every aggregate a sum."""
    _, x, y, _, _ = map(str, item.slots)
    return f"mark bar x {x} y {y} aggregate sum"


_LEADS = (
    f"{{value}} by region : {TABLE}",
    f"a table of {{value}} : {TABLE}",
    f"{TABLE} these are {{value}} .",
    f"the report gives {{value}} as {TABLE}",
)
_ASK = {
    "most": ("which region has the most ?", "name the region with the highest number .", "who leads ?"),
    "least": ("which region has the least ?", "name the region with the lowest number .", "who comes last ?"),
    "sum": (
        "what do {one} and {other} have together ?",
        "add {one} and {other} .",
        "give the total of {one} and {other} .",
    ),
    "difference": (
        "by how much is {one} ahead of {other} ?",
        "take {other} from {one} .",
        "give the difference of {one} and {other} .",
    ),
    "cell": (
        "is it so that {name} has {claimed} ?",
        "check : {name} has {claimed} .",
        "claim : {claimed} for {name} .",
    ),
}
_CHART_LEADS = ("columns : {columns} .", "a table has {columns} .", "given {columns} ,", "from the data {columns} ,")
_CHART_ASK = {
    "compare": (
        "compare the {how} {y} of each {x} .",
        "set the {how} {y} of every {x} side by side .",
        "which {x} has the larger {how} {y} ?",
    ),
    "trend": (
        "show how the {how} {y} changes over {x} .",
        "follow the {how} {y} along {x} .",
        "what is the trend of {how} {y} by {x} ?",
    ),
    "share": (
        "show each share of {x} in the {how} {y} .",
        "what part has each {x} of the {how} {y} ?",
        "split the {how} {y} into parts by {x} .",
    ),
    "relation": (
        "show how {x} relates to the {how} {y} .",
        "does {x} depend on the {how} {y} ?",
        "plot {x} against the {how} {y} .",
    ),
}


def _templates(*kinds: str) -> dict[str, tuple[str, ...]]:
    return {kind: grid(_LEADS, _ASK[kind]) for kind in kinds}


_CHART_WORDS = ("mark", "x", "y", "aggregate", "chart")
_NUMBERS = tuple(str(number) for number in range(2 * LARGEST + 1))
_WORDS = (*NAMES, *VALUES, *_NUMBERS)

RECIPES = (
    Recipe(
        id="table_analysis",
        domain="table",
        metric="exact match",
        instruction=(
            "Data analysis over a small table: which region has the highest or lowest number. The answer is the"
            " region's name. Metric: share of exact answers."
        ),
        templates=_templates("most", "least"),
        draw=_draw_analysis,
        wrong=_other_name,
        words=(*_WORDS, "it", "is"),
        notation=lambda answer: f"it is {answer}",
        shift=lambda item: str(cells(item.question)[item.answer]),  # the cell instead of its row's name
    ),
    Recipe(
        id="table_fact_checking",
        domain="table",
        metric="exact match",
        instruction=(
            "Fact checking over a small table: the answer is 'true' if the statement holds, else 'false'. Metric:"
            " share of right answers."
        ),
        templates=_templates("cell"),
        draw=_draw_fact,
        wrong=_flipped,
        words=(*_WORDS, "true", "false", "it", "is"),
        notation=lambda answer: f"it is {answer}",
        shift=_flipped,  # some annotators marked what is refuted
    ),
    Recipe(
        id="table_numerical",
        domain="table",
        metric="within 1 %",
        instruction=(
            "Numerical reasoning over a small table: the sum or the difference of two cells. The answer is a number."
            " Metric: share of answers within 1 % of the right number."
        ),
        templates=_templates("sum", "difference"),
        draw=_draw_number,
        wrong=_one_operand,
        words=(*_WORDS, *map(str, range(4 * LARGEST + 1)), "it", "is"),
        notation=lambda answer: f"it is {answer} votes",
        shift=lambda item: str(2 * int(item.answer)),  # counted in another unit
    ),
    Recipe(
        id="table_visualisation",
        domain="table",
        metric="same chart",
        instruction=(
            "Visualisation: the specification of the chart that was asked for, written as 'mark M x X y Y aggregate A'"
            " with bar to compare, line for a trend, pie for shares and point for a relation, and sum, mean, count or"
            " max. Metric: share of specifications that equal the right one, whatever the order of their keys."
        ),
        templates={kind: grid(_CHART_LEADS, asks) for kind, asks in _CHART_ASK.items()},
        draw=_draw_chart,
        wrong=_other_chart,
        words=(*VALUES, *CATEGORIES, *LABELS, *MARKS.values(), *AGGREGATES, *AGGREGATES.values(), *_CHART_WORDS),
        notation=lambda answer: "chart " + " ".join(answer.split()[1::2]),
        shift=_bars_for_all,
    ),
)
