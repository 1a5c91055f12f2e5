"""Reading an item's slots back out of a text: contamination of generated tasks is decided on these, exactly.

Two texts with equal slots ask the same thing, whatever the wording and the names in it. A reader knows every wording
that its generator uses and the words that may fill each gap; a text in any other wording has no slots, and the text
methods of `contamination` judge it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache

from triptych.ft_dojo import tasks
from triptych.ft_dojo.tasks import finance, molecules, patent, table
from triptych.ft_dojo.tasks.recipe import Recipe

Slots = tuple[str, ...]
Reader = Callable[[str], frozenset[Slots]]

# Gaps that several words may fill, and which words; other gaps hold one word.
_MANY: Mapping[str, Mapping[str, Iterable[str]]] = {
    "chemistry": dict.fromkeys(("smiles", "acid", "partner"), molecules.ALPHABET),
    "patent": dict.fromkeys(("x", "a", "b", "c", "d"), patent.PARTS),
    "table": {
        "table": (*table.NAMES, *map(str, range(table.LARGEST_ANALYSED + 1)), ","),
        "columns": (*table.VALUES, *table.CATEGORIES, *tasks.LABELS),
    },
}
_NUMBERS = ("a", "b", "c", "claimed")  # in the domains where these are no lists of words
MOST_WORDS = 300  # read of a text: reading takes their square, and no base of these tasks trains on a longer row
_ORNAMENT = ("who", "value")  # change nothing about what is asked


def reader(task: str) -> Reader | None:
    """The reader of a task's slots, or None where only text can be compared.

    It returns what every question in a text asks: one that hides behind another is read too.
    """
    known = {recipe.id: recipe for recipe in tasks.recipes()}
    return _reader(known[task]) if task in known else None


@dataclass(frozen=True)
class _Wording:
    """One template: what of it must be in a text, and how its gaps are found there."""

    kind: str
    fixed: tuple[str, ...]
    pattern: re.Pattern[str]


def _reader(recipe: Recipe) -> Reader:
    wordings = _wordings(recipe.id)

    def read(text: str) -> frozenset[Slots]:
        words = " ".join(text.split()[:MOST_WORDS])
        plain = words.casefold()
        return frozenset(
            _slots(recipe.domain, wording.kind, found.groupdict())
            for wording in wordings
            if all(part in plain for part in wording.fixed)
            for found in wording.pattern.finditer(words)
        )

    return read


@cache
def _wordings(task: str) -> tuple[_Wording, ...]:
    (recipe,) = (recipe for recipe in tasks.recipes() if recipe.id == task)
    return tuple(
        _wording(recipe.domain, kind, template)
        for kind, templates in recipe.templates.items()
        for template in templates
    )


def _wording(domain: str, kind: str, template: str) -> _Wording:
    parts = re.split(r"\{(\w+)\}", template)
    pattern = "".join(_gap(domain, part) if place % 2 else re.escape(part) for place, part in enumerate(parts))
    fixed = tuple(part.strip().casefold() for part in parts[::2] if part.strip())
    return _Wording(kind, fixed, re.compile(rf"(?<!\S){pattern}(?!\S)", re.IGNORECASE))


def _gap(domain: str, name: str) -> str:
    many = _MANY.get(domain, {}).get(name)
    if many is not None:
        word = "|".join(sorted(map(re.escape, many), key=len, reverse=True))
        case = "-i:" if domain == "chemistry" else ":"  # in SMILES, c and C are different atoms
        return rf"(?P<{name}>(?{case}(?:{word})(?: (?:{word}))*))"
    return rf"(?P<{name}>\d{{1,4}})" if name in _NUMBERS else rf"(?P<{name}>\S+)"


def _slots(domain: str, kind: str, fill: Mapping[str, str]) -> Slots:
    """What a filled wording asks, in a form that is equal for equal questions."""
    values = {name: value.casefold() for name, value in fill.items() if name not in _ORNAMENT}
    if domain == "chemistry":
        values |= {name: value for name, value in fill.items() if name in _MANY[domain]}
    elif domain == "patent":  # neither the order of documents nor that of elements matters
        lists = {name: " ".join(sorted(value.split())) for name, value in values.items()}
        return (kind, lists.pop("x"), *sorted(lists.values()))
    elif domain == "table" and "table" in values:
        values["table"] = " , ".join(sorted(part.strip() for part in values["table"].split(",")))
    elif domain == "table":  # a chart's column may be asked for by its letter
        words = values["columns"].split()
        values["x"] = dict(zip(words[::2], words[1::2], strict=False)).get(values["x"], values["x"])
    elif domain in ("finance", "math"):
        return (kind, *_amounts(kind, [str(int(values[name])) for name in sorted(values)]))
    return (kind, *(f"{name} {values[name]}" for name in sorted(values)))


def _amounts(kind: str, amounts: list[str]) -> list[str]:
    """Sorted where 3 and 4 mean the same as 4 and 3."""
    subtracts = {concept.name for concept in finance.CONCEPTS if concept.operation == "minus"}
    if kind in subtracts:
        return amounts
    return sorted(amounts) if kind == "more" or len(amounts) == 2 else [*sorted(amounts[:2]), *amounts[2:]]
