"""What a task is: clean items in four splits, the dirty rows that an agent is given, a metric and its chance level."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

from triptych.errors import ParameterError
from triptych.ft_dojo.tasks.metrics import METRICS, Metric

LABELS = ("A", "B", "C", "D")
# train is the pool behind the public rows; val gives an agent feedback; select chooses the final model unseen by the
# agent; test is scored once, at the end.
SPLITS = ("train", "val", "select", "test")
# What may not be shared between splits (a molecule, a table, a pair of amounts) falls into one of 16 classes by its
# digest, and the seed says which classes are whose.
CLASSES = 16
_OFFSETS = {"test": (0,), "val": (1, 2), "select": (3, 4), "train": tuple(range(5, CLASSES))}


def split_of(task: str, key: str, seed: int) -> str:
    """The one split of `seed` that may use `key`: contamination is decided by this, exactly.

    Each class is the test class of every sixteenth seed, so seeds that differ modulo 16 share no test key.
    """
    digest = hashlib.sha256(f"{task}/{key}".encode()).digest()
    offset = (int.from_bytes(digest[:8], "big") - seed) % CLASSES
    return next(split for split, offsets in _OFFSETS.items() if offset in offsets)


@dataclass(frozen=True)
class Item:
    """One question. With `options`, exactly one of them is right and `label` names it; without, `label` is the answer.

    `template` names the wording and `slots` holds what was filled in that decides the answer: two items with equal
    slots ask the same thing in other words. `key` is the part of the slots that no other split may use.
    """

    id: str
    template: str
    slots: tuple[str | int, ...]
    question: str
    options: tuple[str, ...]
    label: str
    key: str = ""

    @property
    def prompt(self) -> str:
        """The text a model is given. Options are not shown: each is scored as a continuation (`completion`).

        One rendering for every model: split at white space it is the tiny base's word sequence.
        """
        return prompt(self.question)

    @property
    def answer(self) -> str:
        """The gold answer's text: that of the option which `label` names, or `label` itself where there are none."""
        return self.options[LABELS.index(self.label)] if self.options else self.label

    def option_is_right(self, place: int) -> bool:
        """Whether the option at `place` (from 0) is the right one; False where there is none."""
        return place < len(self.options) and self.label == LABELS[place]

    @staticmethod
    def completion(option: str) -> str:
        """The continuation that gives `option`; its full stop ends it, so that 5 is not the beginning of 57."""
        return f" {option} ."


@dataclass(frozen=True)
class Row:
    """One raw public row, as an agent finds it: any field may be damaged, and a missing answer is empty."""

    id: str
    question: str
    answer: str
    options: tuple[str, ...] = ()

    @property
    def sample(self) -> Sample:
        """The row as a training sample, taken as it stands."""
        return Sample(prompt(self.question), Item.completion(self.answer))


@dataclass(frozen=True)
class Sample:
    """What is trained on: the model reads `prompt` and learns `completion`."""

    prompt: str
    completion: str


@dataclass(frozen=True)
class Task:
    """A task: what is measured, its splits of clean items, and the public rows.

    `public` holds the items of `train`, in order and with their ids, after damage. `planted` lists that damage as
    (kind, row id). It is the generator's own knowledge, for oracles and tests of agents; no agent is shown it, nor the
    clean `train` items.
    """

    id: str
    domain: str
    metric: str
    seed: int
    splits: Mapping[str, tuple[Item, ...]]
    planted: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    public: tuple[Row, ...] = field(default=(), repr=False)
    instruction: str = field(default="", repr=False)

    @property
    def measure(self) -> Metric:
        """The metric called `metric`."""
        return METRICS[self.metric]

    @property
    def choice(self) -> bool:
        """Whether every item has options, so that a model is scored by their log-likelihood and generates nothing."""
        return all(item.options for items in self.splits.values() for item in items)

    def score(self, answers: Sequence[str], split: str = "test") -> float:
        """Score in [0, 1] of one answer text an item (an option's text where there are options), in order.

        Raises ParameterError when the numbers of answers and items differ.
        """
        items = self.splits[split]
        if len(answers) != len(items):
            raise ParameterError(f"{len(answers)} answers for {len(items)} items", "answer every item once, in order")
        return self.measure.score(answers, items)

    def chance(self, split: str = "test") -> float:
        """Score on a split that needs no skill: the better of the best constant answer and random guessing."""
        return self.measure.chance(self.splits[split])

    def normalised(self, score: float, split: str = "test") -> float:
        """Score of 100 for perfect and 0 for chance: 100·(score − chance)/(1 − chance); negative below chance."""
        chance = self.chance(split)
        return 100 * (score - chance) / (1 - chance)

    def default_samples(self) -> list[Sample]:
        """Every public row as it stands: what somebody trains on who looks at nothing."""
        return [row.sample for row in self.public]

    def oracle_samples(self) -> list[Sample]:
        """The public rows cleaned by one who knows what was planted: repaired where the row still tells all, or left
        out."""
        from triptych.ft_dojo.tasks.defects import REPAIRABLE

        damage = {name: kind for kind, name in self.planted}
        kept = [item for item in self.splits["train"] if damage.get(item.id) in (None, *REPAIRABLE)]
        return [Sample(item.prompt, item.completion(item.answer)) for item in kept]

    def jsonl(self, split: str) -> bytes:
        """The split as JSON lines: the same seed gives the same bytes. Raises ParameterError for an unknown split."""
        if split not in self.splits:
            raise ParameterError(f"task {self.id} has no split {split!r}", f"splits: {', '.join(self.splits)}")
        return _lines(self.splits[split])

    def public_jsonl(self) -> bytes:
        """The public rows as JSON lines, all that an agent is given besides the instruction."""
        return _lines(self.public)


def prompt(question: str) -> str:
    """The prompt of a question, the same for every task and model."""
    return f"{question}\nanswer :"


def checked_sizes(sizes: Mapping[str, int] | None, default: Mapping[str, int]) -> dict[str, int]:
    """`default` overridden by `sizes`. Raises ParameterError for an unknown split or a size below 1."""
    for split, size in (sizes or {}).items():
        if split not in SPLITS:
            raise ParameterError(f"no split is called {split!r}", f"splits: {', '.join(SPLITS)}")
        if size < 1:
            raise ParameterError(f"split {split} cannot have {size} items", "give at least 1")
    return {**default, **(sizes or {})}


def _lines(rows: Sequence[Item] | Sequence[Row]) -> bytes:
    return "".join(json.dumps(asdict(row), sort_keys=True, ensure_ascii=False) + "\n" for row in rows).encode()
