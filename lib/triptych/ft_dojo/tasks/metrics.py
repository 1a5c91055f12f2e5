"""Exact metrics: what an answer's text is worth, and the score of a model's answers on a split.

An answer is the text that stands before the full stop. Every metric gives gold answers 1.0 and an empty answer 0.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from triptych.ft_dojo.tasks.base import Item

TOLERANCE = 0.01  # of the gold number, as the paper's numerical reasoning over tables
CHART_KEYS = ("mark", "x", "y", "aggregate")


@dataclass(frozen=True)
class Metric:
    """`credit(answer, item)` is one answer's worth in [0, 1]; `pool` says how the answers of a split are put together.

    `constants` lists answers that a constant strategy should try besides every gold answer of the split. `normal`, if
    given, is a form that two answers share just when each would be credited for the other.
    """

    name: str
    credit: Callable[[str, Item], float]
    pool: Literal["mean", "macro F1"] = "mean"
    constants: tuple[str, ...] = ()
    normal: Callable[[str], Hashable] | None = None

    def score(self, answers: Sequence[str], items: Sequence[Item]) -> float:
        """Score of one answer an item, in [0, 1]; the two have equal length."""
        if self.pool == "macro F1":
            return macro_f1(answers, [item.answer for item in items])
        return sum(self.credit(answer, item) for answer, item in zip(answers, items, strict=True)) / len(items)

    def chance(self, items: Sequence[Item]) -> float:
        """The better of the best constant answer and of guessing evenly, which is among an item's options or among all
        gold answers of the split."""
        golds = Counter(item.answer for item in items)
        if self.pool == "macro F1":
            # Precision of a guess is a class's share, recall one in k: the limit for many items.
            shares = [count / len(items) for count in golds.values()]
            guess = sum(2 * share / (share * len(shares) + 1) for share in shares) / len(shares)
            return max(guess, *(self.score([text] * len(items), items) for text in golds))
        worth = self._as_constant([*self.constants, *golds], items)
        if self.constants:
            guess = sum(worth[text] for text in self.constants) / len(self.constants)
        elif all(item.options for item in items):
            guess = sum(1 / len(item.options) for item in items) / len(items)
        else:
            guess = sum(count * worth[text] for text, count in golds.items()) / len(items)
        # "Always the second option" is as constant as "always 7".
        places = max(len(item.options) for item in items)
        by_place = [sum(item.option_is_right(place) for item in items) / len(items) for place in range(places)]
        return max(guess, *worth.values(), *by_place)

    def _as_constant(self, texts: Sequence[str], items: Sequence[Item]) -> dict[str, float]:
        """What each text scores when it is the answer to every item."""
        if self.normal is None:
            return {text: self.score([text] * len(items), items) for text in dict.fromkeys(texts)}
        counts = Counter(self.normal(item.answer) for item in items)
        return {text: counts[self.normal(text)] / len(items) for text in texts}


def exact(answer: str, item: Item) -> float:
    """1 for the gold text, white space aside."""
    return float(answer.split() == item.answer.split())


def set_f1(answer: str, item: Item) -> float:
    """F1 of the set of words answered against the gold set: 2·|both|/(|answered| + |gold|)."""
    ours, gold = set(answer.split()), set(item.answer.split())
    return 2 * len(ours & gold) / (len(ours) + len(gold)) if ours else 0.0


def gold_hit(answer: str, item: Item) -> float:
    """1 if the first word answered is one of the gold words: a paragraph or document that was really cited."""
    ours = answer.split()
    return float(bool(ours) and ours[0] in item.answer.split())


def within_tolerance(answer: str, item: Item) -> float:
    """1 for a number within 1 % of the gold number."""
    gold = float(item.answer)
    try:
        given = float(answer.replace(" ", ""))
    except ValueError:
        return 0.0
    return float(abs(given - gold) <= TOLERANCE * abs(gold))


def chart(text: str) -> dict[str, str] | None:
    """A chart specification such as `mark bar x team y votes aggregate sum`, keys in any order; None if it is none."""
    words = text.split()
    if len(words) != 2 * len(CHART_KEYS) or set(words[::2]) != set(CHART_KEYS):
        return None
    return dict(zip(words[::2], words[1::2], strict=True))


def same_chart(answer: str, item: Item) -> float:
    """1 if both specify the same chart."""
    ours = chart(answer)
    return float(ours is not None and ours == chart(item.answer))


def macro_f1(answers: Sequence[str], golds: Sequence[str]) -> float:
    """Mean over the gold classes of F1; a class never answered scores 0, an answer that is no class helps none."""
    scores: list[float] = []
    for name in sorted(set(golds)):
        both = sum(answer.strip() == name == gold for answer, gold in zip(answers, golds, strict=True))
        given = sum(answer.strip() == name for answer in answers)
        scores.append(2 * both / (given + golds.count(name)))
    return sum(scores) / len(scores)


def same_molecule(answer: str, item: Item) -> float:
    """1 if both SMILES, written with spaces between their tokens, are one molecule (equal canonical SMILES)."""
    from triptych.ft_dojo.tasks import molecules

    ours = molecules.canonical(answer)
    return float(ours is not None and ours == molecules.canonical(item.answer))


def property_moved(answer: str, item: Item) -> float:
    """1 if the answer is a near relative of the item's molecule whose property moved the way that was asked.

    The item's slots are (source SMILES, property, direction); see `chemistry.OPTIMISED` for what moving means.
    """
    from triptych.ft_dojo.tasks import chemistry

    source, name, direction = (str(slot) for slot in item.slots[:3])
    return float(chemistry.moved(source, answer, name, direction))


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def _chart_form(text: str) -> Hashable:
    parts = chart(text)
    return None if parts is None else tuple(sorted(parts.items()))


def _molecule_form(text: str) -> Hashable:
    from triptych.ft_dojo.tasks import molecules

    return molecules.canonical(text)


_LETTERS = ("A", "B", "C", "D")
_SETS = tuple(" ".join(chosen) for size in range(1, 5) for chosen in combinations(_LETTERS, size))

METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("exact match", exact, normal=_words),
        Metric("set F1", set_f1, constants=_SETS),
        Metric("gold hit", gold_hit),
        Metric("macro F1", exact, pool="macro F1"),
        Metric("within 1 %", within_tolerance),
        Metric("same molecule", same_molecule, normal=_molecule_form),
        Metric("property moved", property_moved),
        Metric("same chart", same_chart, normal=_chart_form),
    )
}
