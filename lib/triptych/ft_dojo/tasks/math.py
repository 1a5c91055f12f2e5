"""Short competition-style word problems whose answer is one whole number, in the manner of AIME but tiny.

Each problem takes two steps over three single digits. The splits share neither wordings nor number triples.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cache

from triptych.ft_dojo.tasks.base import Item
from triptych.ft_dojo.tasks.recipe import Allowed, Draft, Recipe, grid

ID = "math"
LARGEST = 30
PEOPLE = ("ann", "bob", "eve", "ian", "joe", "kim", "lee", "max", "ned", "pam", "ray", "sue")  # codespell:ignore ned


@dataclass(frozen=True)
class Problem:
    """A kind of problem: how the answer follows from a, b and c, and its wordings."""

    name: str
    a: range
    b: range
    c: range
    templates: tuple[str, ...]

    def answer(self, a: int, b: int, c: int) -> int:
        """The number asked for."""
        return {"left": a + b - c, "more": a + b + c, "groups": a * b + c}[self.name]

    def triples(self) -> list[tuple[int, int, int]]:
        """All (a, b, c) whose answer is from 0 to LARGEST."""
        found = [(a, b, c) for a in self.a for b in self.b for c in self.c]
        return [triple for triple in found if 0 <= self.answer(*triple) <= LARGEST]


PROBLEMS = (
    Problem(
        "left", range(1, 10), range(1, 10), range(1, 10),
        grid(
            (
                "{who} has {a} coins and finds {b} more . then {c} are lost .",
                "{who} had {a} coins , won {b} , and gave {c} away .",
                "in a jar are {a} coins . {who} puts in {b} and takes out {c} .",
                "{a} coins and {b} coins come to {who} , who loses {c} .",
            ),
            ("how many coins are left ?", "find the number of coins left .", "compute how many remain ."),
        ),
    ),
    Problem(
        "more", range(1, 9), range(1, 9), range(1, 9),
        grid(
            (
                "{who} has {a} coins , finds {b} , and wins {c} .",
                "{a} coins , {b} coins and {c} coins come to {who} .",
                "in a jar are {a} coins . {who} puts in {b} , and then {c} .",
                "{who} had {a} coins . then {b} and {c} more were won .",
            ),
            ("how many coins are there in all ?", "find the number in all .", "compute how many there are now ."),
        ),
    ),
    Problem(
        "groups", range(2, 6), range(2, 6), range(1, 10),
        grid(
            (
                "{who} fills {a} bags with {b} coins each , and has {c} more .",
                "there are {a} bags of {b} coins , and {who} adds {c} .",
                "{a} bags hold {b} coins each . {who} has {c} besides .",
                "{who} has {a} bags , each with {b} coins , and finds {c} .",
            ),
            ("how many coins are there in all ?", "find the number in all .", "compute how many there are now ."),
        ),
    ),
)  # fmt: skip

_triples = cache(Problem.triples)


@cache
def _sizes() -> tuple[int, ...]:
    return tuple(len(_triples(problem)) for problem in PROBLEMS)


def _draw(rng: random.Random, allowed: Allowed, turn: int) -> Draft | None:
    problem = rng.choices(PROBLEMS, _sizes())[0]
    a, b, c = rng.choice(_triples(problem))
    # What commutes is one fact.
    first, second = sorted((a, b))
    fact = sorted((a, b, c)) if problem.name == "more" else [first, second, c]
    key = "/".join(map(str, (problem.name, *fact)))
    if not allowed(key):
        return None
    fill = {"who": rng.choice(PEOPLE), "a": a, "b": b, "c": c}
    return Draft(problem.name, (problem.name, a, b, c), fill, str(problem.answer(a, b, c)), key=key)


def _wrong(item: Item, rng: random.Random) -> str:
    """The second step left out, which happens to graders and models alike; a slip of one where that is no mistake."""
    name, a, b = str(item.slots[0]), int(item.slots[1]), int(item.slots[2])
    half = a * b if name == "groups" else a + b
    return str(half if str(half) != item.answer else half + 1)


def _pairs(item: Item) -> str:
    """Coins counted in a unit of two."""
    return str(2 * int(item.answer))


RECIPE = Recipe(
    id=ID,
    domain="math",
    metric="exact match",
    instruction=(
        "Word problems of two steps about coins. The answer is one whole number and nothing else. Metric: share of"
        " answers that equal the right number."
    ),
    templates={problem.name: problem.templates for problem in PROBLEMS},
    draw=_draw,
    wrong=_wrong,
    words=(*PEOPLE, "it", "is", *map(str, range(2 * LARGEST + 1))),
    notation=lambda answer: f"it is {answer} coins",
    shift=_pairs,
)
