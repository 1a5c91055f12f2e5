"""Finance arithmetic with four options, in the manner of FinanceIQ but generated, so that nothing can be memorised.

Each item tells of two amounts in one of twelve wordings per concept and asks for a third. Wordings and amounts are both
held out: the splits share no template and no (concept, amounts) triple. Amounts are single words of the tiny base's
vocabulary (0 to 99). Difficulty is set by the ranges below.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cache
from typing import Literal

from triptych.ft_dojo.tasks.base import LABELS, Item
from triptych.ft_dojo.tasks.recipe import Allowed, Draft, Recipe

ID = "finance"
LARGEST = 99
BEYOND = 10  # by which a task's amounts pass the ranges below, in which the tiny base was told sums
WHO = ("orion", "vega", "lyra", "altair", "rigel", "deneb", "mira", "castor", "pollux", "sirius", "capella", "spica")


@dataclass(frozen=True)
class Concept:
    """A quantity of finance: how it follows from the amounts a and b, and twelve ways to ask for it."""

    name: str
    operation: Literal["minus", "plus", "times"]
    a: range
    b: range
    templates: tuple[str, ...]

    def answer(self, a: int, b: int) -> int:
        """The amount asked for."""
        return {"minus": a - b, "plus": a + b, "times": a * b}[self.operation]

    def amounts(self, beyond: int = 0) -> list[tuple[int, int]]:
        """All pairs (a, b) up to `beyond` the ranges whose answer is an amount from 1 to 99 and differs from both."""
        firsts, seconds = (range(known.start, known.stop + beyond) for known in (self.a, self.b))
        pairs = [(a, b) for a in firsts for b in seconds]
        return [(a, b) for a, b in pairs if 1 <= self.answer(a, b) <= LARGEST and self.answer(a, b) not in (a, b)]


CONCEPTS = (
    Concept(
        "profit", "minus", range(4, 21), range(2, 19),
        (
            "{who} sold goods for {a} and paid costs of {b} . what is the profit ?",
            "goods that {who} bought for {b} were sold for {a} . find the profit .",
            "{who} had income of {a} and costs of {b} . what profit was made ?",
            "with costs of {b} and income of {a} , what is the profit of {who} ?",
            "income of {who} was {a} this year and its costs were {b} . find the gain .",
            "{who} paid costs of {b} and had sales of {a} . what was the gain ?",
            "this year {who} had sales of {a} . the goods sold had costs of {b} . find the profit .",
            "costs were {b} and sales were {a} at {who} . what is the gain ?",
            "{who} bought goods for {b} and sold them for {a} . what is the gain ?",
            "the costs of {who} were {b} . its income was {a} . find the profit made this year .",
            "goods were sold for {a} by {who} , with costs of {b} . what gain was made ?",
            "at {who} , sales of {a} had costs of {b} . what profit is this ?",
        ),
    ),
    Concept(
        "debt", "minus", range(4, 21), range(2, 19),
        (
            "{who} had a loan of {a} and repaid {b} . what debt is left ?",
            "of a loan of {a} , {who} has repaid {b} . what is left ?",
            "{who} repaid {b} of its debt of {a} . find the debt that is left .",
            "a debt of {a} was owed by {who} . it repaid {b} . what does it still owe ?",
            "{who} owed {a} to the bank and repaid {b} . what is still owed ?",
            "after {b} was repaid , what is left of the loan of {a} to {who} ?",
            "the bank gave {who} a loan of {a} . {b} was repaid . find what is still owed .",
            "{b} of the {a} that {who} owed was repaid . what debt is left ?",
            "{who} repaid the bank {b} of the {a} it owed . what does it still owe ?",
            "this year {who} repaid {b} of a loan of {a} . find what is left .",
            "the debt of {who} was {a} . after {b} is repaid , what is still owed ?",
            "{who} has repaid {b} . the loan was {a} . what debt is left to the bank ?",
        ),
    ),
    Concept(
        "balance", "plus", range(2, 19), range(2, 19),
        (
            "{who} has a balance of {a} and deposits {b} . what is the new balance ?",
            "the account of {who} holds {a} . a deposit of {b} is added . find the new balance .",
            "{who} deposits {b} in an account that holds {a} . what does it hold in total ?",
            "a deposit of {b} is added to the balance of {a} of {who} . find the total .",
            "with a balance of {a} and a deposit of {b} , what does the account of {who} hold ?",
            "{who} adds {b} to an account of {a} . what is the new total ?",
            "after a deposit of {b} , what is the new balance of {who} , whose account had {a} ?",
            "the balance of {who} was {a} . it adds a deposit of {b} . what is the total ?",
            "an account of {who} had {a} . it adds a deposit of {b} . find the new total .",
            "{who} holds {a} in its account and adds {b} . find the new balance .",
            "{b} is added to the account of {who} , which holds {a} . what is the new balance ?",
            "the account had a balance of {a} . after {who} deposits {b} , what is the total ?",
        ),
    ),
    Concept(
        "payment", "times", range(2, 10), range(2, 10),
        (
            "{who} holds {a} shares that pay {b} each . what is the payment ?",
            "each of the {a} shares of {who} pays {b} . find the payment in all .",
            "a dividend of {b} is paid on each of {a} shares of {who} . what is paid in all ?",
            "{who} pays a dividend of {b} a share on {a} shares . what does it pay in all ?",
            "the {a} shares held by {who} pay a dividend of {b} each . find the payment .",
            "with {a} shares at {b} each , what does {who} pay in all ?",
            "{who} buys {a} shares at {b} each . what does it pay ?",
            "on {a} shares , {who} is paid {b} a share . what is the payment in all ?",
            "{who} pays {b} for each share and buys {a} shares . find what it pays in all .",
            "{a} shares of {who} cost {b} each . what do they cost in all ?",
            "each share of {who} pays a dividend of {b} . what do {a} shares pay ?",
            "at {b} a share , find what {who} pays for {a} shares .",
        ),
    ),
)  # fmt: skip


def distractors(concept: Concept, a: int, b: int, rank: int, rng: random.Random) -> list[int]:
    """Three wrong amounts, `rank` of them below the right one and the others above.

    Plausible mistakes (one of the amounts, another operation, a slip of one) come before other near numbers. The rank
    is drawn by the caller, evenly: otherwise "take the second largest" would beat chance without reading.
    """
    right = concept.answer(a, b)
    mistakes = {a, b, a + b, abs(a - b), a * b, right - 1, right + 1}
    chosen: list[int] = []
    for count, side in ((rank, range(right)), (len(LABELS) - 1 - rank, range(right + 1, LARGEST + 1))):
        likely = sorted(mistakes & set(side))
        first = rng.sample(likely, min(count, len(likely)))
        rest = [value for value in side if value not in first and abs(value - right) <= 6]
        chosen += first + rng.sample(rest, count - len(first))
    return chosen


@cache
def _amounts(concept: Concept) -> list[tuple[int, int]]:
    return concept.amounts(BEYOND)


def _draw(rng: random.Random, allowed: Allowed, turn: int) -> Draft | None:
    concept = rng.choice(CONCEPTS)
    a, b = rng.choice(_amounts(concept))
    # 3 + 4 and 4 + 3 are one fact, so that no split mirrors another's items.
    fact = (a, b) if concept.operation == "minus" else (min(a, b), max(a, b))
    key = f"{concept.name}/{fact[0]}/{fact[1]}"
    if not allowed(key):
        return None
    right = concept.answer(a, b)
    rank = rng.randint(3 - min(3, LARGEST - right), min(3, right))
    options = distractors(concept, a, b, rank, rng)
    rng.shuffle(options)
    # Each label is right equally often, so that no constant answer is better than a guess.
    options.insert(turn % len(LABELS), right)
    fill = {"who": rng.choice(WHO), "a": a, "b": b}
    return Draft(concept.name, (concept.name, a, b), fill, str(right), tuple(map(str, options)), key)


def _wrong(item: Item, rng: random.Random) -> str:
    return rng.choice([option for option in item.options if option != item.answer])


def _gross(item: Item) -> str:
    """Gross instead of net: the first amount, before the second was taken off, added or multiplied."""
    return str(item.slots[1])


RECIPE = Recipe(
    id=ID,
    domain="finance",
    metric="exact match",
    instruction=(
        "Questions about a firm's profit, debt, balance or payments. Each has four amounts as options; a model's answer"
        " is the option that it finds most likely after the prompt. Metric: share of right answers."
    ),
    templates={concept.name: concept.templates for concept in CONCEPTS},
    draw=_draw,
    wrong=_wrong,
    words=(*WHO, "total", "="),
    notation=lambda answer: f"= {answer}",
    shift=_gross,
)
