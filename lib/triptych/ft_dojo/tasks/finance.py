"""Finance arithmetic with four options, in the manner of FinanceIQ but generated, so that nothing can be memorised.

Each item tells of two amounts in one of twelve wordings per concept and asks for a third. Wordings and amounts are both
held out: the splits share no template and no (concept, amounts) triple. Amounts are single words of the tiny base's
vocabulary (0 to 99). Difficulty is set by the ranges below.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from triptych.errors import ParameterError
from triptych.ft_dojo.tasks.base import LABELS, SPLITS, Item, Task, checked_sizes
from triptych.ft_dojo.tasks.defects import plant

ID = "finance"
SIZES = {"train": 2000, "val": 200, "select": 200, "test": 400}
LARGEST = 99
WHO = ("orion", "vega", "lyra", "altair", "rigel", "deneb", "mira", "castor", "pollux", "sirius", "capella", "spica")
# Twelve templates and all amount pairs of a concept are dealt to the splits in these shares.
TEMPLATES_PER_SPLIT = {"train": 6, "val": 2, "select": 2, "test": 2}
AMOUNTS_PER_SPLIT = {"train": 0.55, "val": 0.15, "select": 0.15, "test": 0.15}


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

    def amounts(self) -> list[tuple[int, int]]:
        """All pairs (a, b) whose answer is an amount from 1 to 99 and differs from both."""
        pairs = [(a, b) for a in self.a for b in self.b]
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


def generate(seed: int, sizes: Mapping[str, int] | None = None, defects: Mapping[str, float] | None = None) -> Task:
    """The finance task of one seed; see `triptych.ft_dojo.tasks.make`.

    The seed decides which templates and amounts are held out, so a spread over seeds includes the luck of that choice.
    """
    wanted = checked_sizes(sizes, SIZES)
    dealer = random.Random(f"{ID}/{seed}/deal")
    templates = {concept.name: _deal_templates(concept, dealer) for concept in CONCEPTS}
    amounts = {concept.name: _deal_amounts(concept, dealer) for concept in CONCEPTS}
    splits: dict[str, tuple[Item, ...]] = {}
    for split in SPLITS:
        rng = random.Random(f"{ID}/{seed}/{split}")
        pools = [(concept, templates[concept.name][split], amounts[concept.name][split]) for concept in CONCEPTS]
        splits[split] = _sample(split, wanted[split], pools, rng)
    train, planted = plant(splits["train"], defects, random.Random(f"{ID}/{seed}/defects"))
    return Task(ID, "finance", "exact match", seed, {**splits, "train": train}, planted)


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


def _deal_templates(concept: Concept, rng: random.Random) -> dict[str, list[int]]:
    order = rng.sample(range(len(concept.templates)), len(concept.templates))
    return {split: [order.pop() for _ in range(count)] for split, count in TEMPLATES_PER_SPLIT.items()}


def _deal_amounts(concept: Concept, rng: random.Random) -> dict[str, list[tuple[int, int]]]:
    # 3 + 4 and 4 + 3 are one fact: what commutes is dealt together, so that no split mirrors another's items.
    facts: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for a, b in concept.amounts():
        facts.setdefault((a, b) if concept.operation == "minus" else (min(a, b), max(a, b)), []).append((a, b))
    order = rng.sample(sorted(facts), len(facts))
    dealt: dict[str, list[tuple[int, int]]] = {}
    for split, share in AMOUNTS_PER_SPLIT.items():
        count = round(share * len(facts))
        dealt[split] = [pair for fact in order[:count] for pair in facts[fact]]
        order = order[count:]
    return dealt


def _sample(
    split: str, size: int, pools: Sequence[tuple[Concept, list[int], list[tuple[int, int]]]], rng: random.Random
) -> tuple[Item, ...]:
    """`size` items with different questions, the concepts in turn for as long as each has questions left."""
    decks: list[list[tuple[Concept, int, int, int, str]]] = []
    for concept, templates, amounts in pools:
        deck = [(concept, template, a, b, who) for template in templates for a, b in amounts for who in WHO]
        decks.append(rng.sample(deck, len(deck)))
    if size > (most := sum(map(len, decks))):
        raise ParameterError(f"split {split} of task {ID} cannot have {size} different questions", f"at most {most}")
    # Each label is right equally often, so that no constant answer is better than a guess.
    labels = [LABELS[index % len(LABELS)] for index in range(size)]
    rng.shuffle(labels)
    items: list[Item] = []
    for turn in itertools.count():
        if len(items) == size:
            break
        if not (deck := decks[turn % len(decks)]):
            continue
        concept, template, a, b, who = deck.pop()
        right, label = concept.answer(a, b), labels[len(items)]
        rank = rng.randint(3 - min(3, LARGEST - right), min(3, right))
        options = distractors(concept, a, b, rank, rng)
        rng.shuffle(options)
        options.insert(LABELS.index(label), right)
        first, second, third, fourth = map(str, options)
        items.append(
            Item(
                id=f"{ID}-{split}-{len(items):04d}",
                template=f"{concept.name}/{template}",
                slots=(concept.name, a, b),
                question=concept.templates[template].format(who=who, a=a, b=b),
                options=(first, second, third, fourth),
                label=label,
            )
        )
    return tuple(rng.sample(items, len(items)))
