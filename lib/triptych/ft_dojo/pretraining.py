"""What the tiny base knows before fine-tuning: generated statements of arithmetic and finance words.

A real base model has met a domain's words and sub-skills but not a benchmark's items. So has this one: a statement is a
sum or a line of a ledger. None asks a question, none uses a task's template or the word "answer" that starts a reply.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from triptych.ft_dojo.tasks import finance

# Words that point at each concept's two amounts, and the operation that joins them.
NOUNS: dict[str, tuple[tuple[str, str, str], ...]] = {
    "minus": (
        ("income", "costs", "profit"),
        ("sales", "costs", "gain"),
        ("sold for", "bought for", "gain"),
        ("sold for", "paid", "profit"),
        ("loan", "repaid", "left"),
        ("debt", "repaid", "owed"),
        ("owed", "repaid", "left"),
        ("loan", "repaid", "debt left"),
    ),
    "plus": (
        ("balance", "deposit", "new balance"),
        ("account", "deposits", "total"),
        ("holds", "adds", "total"),
        ("account", "added", "new total"),
    ),
    "times": (
        ("shares", "each", "payment"),
        ("shares", "dividend", "in all"),
        ("shares", "a share", "payment in all"),
        ("buys shares", "cost each", "pays in all"),
    ),
}


@dataclass(frozen=True)
class Statement:
    """Words, and the positions of those that follow from the words before (the others cannot be predicted)."""

    words: tuple[str, ...]
    inferred: tuple[int, ...]


def statements(rng: random.Random) -> Iterator[Statement]:
    """An endless mixture of statements."""
    kinds: tuple[Callable[[random.Random], Statement], ...] = (arithmetic, ledger)
    weights = (2, 3)
    while True:
        yield rng.choices(kinds, weights)[0](rng)


def words() -> set[str]:
    """Every word the mixture can use, numbers aside."""
    nouns = {word for rows in NOUNS.values() for row in rows for phrase in row for word in phrase.split()}
    return {*finance.WHO, *nouns, *_domain_words(), "minus", "plus", "times", "equals", "is", ",", ";"}


def _domain_words() -> list[str]:
    text = " ".join(template for concept in finance.CONCEPTS for template in concept.templates)
    return sorted({word for word in text.split() if "{" not in word})


def _fact(rng: random.Random) -> tuple[str, int, int, int]:
    concept = rng.choice(finance.CONCEPTS)
    return concept.operation, *(pair := rng.choice(concept.amounts())), concept.answer(*pair)


def _amounts(rng: random.Random) -> tuple[list[str], str, int]:
    """Two named amounts in either order, with a firm around them, the name of the third and its value."""
    operation, a, b, right = _fact(rng)
    first, second, third = rng.choice(NOUNS[operation])
    parts = [rng.choice([f"{name} {amount}", f"{amount} {name}"]) for name, amount in ((first, a), (second, b))]
    rng.shuffle(parts)
    if rng.random() < 0.5:
        parts.insert(rng.randrange(3), rng.choice(finance.WHO))
    return " , ".join(parts).split(), third, right


def arithmetic(rng: random.Random) -> Statement:
    """`12 minus 5 equals 7 .`"""
    operation, a, b, right = _fact(rng)
    return Statement((str(a), operation, str(b), "equals", str(right), "."), (4,))


def ledger(rng: random.Random) -> Statement:
    """`costs 5 , income 12 ; profit is 7 .`"""
    parts, third, right = _amounts(rng)
    start = (*parts, ";", *third.split(), "is")
    return Statement((*start, str(right), "."), (len(start),))
