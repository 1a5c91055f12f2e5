"""What a task is: items in four splits, a metric, and the score that needs no skill."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from triptych.errors import ParameterError

LABELS = ("A", "B", "C", "D")
# train is what an agent may see and train on; val gives it feedback; select chooses the final model unseen by the
# agent; test is scored once, at the end.
SPLITS = ("train", "val", "select", "test")


@dataclass(frozen=True)
class Item:
    """One question with four options, exactly one of them right.

    `template` names the wording and `slots` holds what was filled in that decides the answer: two items with equal
    slots ask the same thing in other words, so contamination is decided on slots, exactly, and not on text.
    """

    id: str
    template: str
    slots: tuple[str | int, ...]
    question: str
    options: tuple[str, str, str, str]
    label: str

    @property
    def prompt(self) -> str:
        """The text a model is given. Options are not shown: each is scored as a continuation (`completion`).

        One rendering for every model: split at white space it is the tiny base's word sequence.
        """
        return f"{self.question}\nanswer :"

    @property
    def answer(self) -> str:
        """The text of the option that `label` names."""
        return self.options[LABELS.index(self.label)]

    @staticmethod
    def completion(option: str) -> str:
        """The continuation that gives `option`; its full stop ends it, so that 5 is not the beginning of 57."""
        return f" {option} ."


@dataclass(frozen=True)
class Task:
    """A task: what is measured, and its splits.

    `planted` lists the defects put into the training split as (kind, item id). It is the generator's own knowledge, for
    oracles and tests of agents; no agent is shown it.
    """

    id: str
    domain: str
    metric: str
    seed: int
    splits: Mapping[str, tuple[Item, ...]]
    planted: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    def chance(self, split: str = "test") -> float:
        """Accuracy on a split that needs no skill: the better of the best constant answer and random guessing."""
        items = self.splits[split]
        constant = max(Counter(item.label for item in items).values()) / len(items)
        return max(constant, 1 / len(LABELS))

    def normalised(self, accuracy: float, split: str = "test") -> float:
        """Score of 100 for perfect and 0 for chance: 100·(accuracy − chance)/(1 − chance); negative below chance."""
        chance = self.chance(split)
        return 100 * (accuracy - chance) / (1 - chance)

    def jsonl(self, split: str) -> bytes:
        """The split as JSON lines: the same seed gives the same bytes. Raises ParameterError for an unknown split."""
        if split not in self.splits:
            raise ParameterError(f"task {self.id} has no split {split!r}", f"splits: {', '.join(self.splits)}")
        rows = (json.dumps(asdict(item), sort_keys=True, ensure_ascii=False) for item in self.splits[split])
        return "".join(row + "\n" for row in rows).encode()


def checked_sizes(sizes: Mapping[str, int] | None, default: Mapping[str, int]) -> dict[str, int]:
    """`default` overridden by `sizes`. Raises ParameterError for an unknown split or a size below 1."""
    for split, size in (sizes or {}).items():
        if split not in SPLITS:
            raise ParameterError(f"no split is called {split!r}", f"splits: {', '.join(SPLITS)}")
        if size < 1:
            raise ParameterError(f"split {split} cannot have {size} items", "give at least 1")
    return {**default, **(sizes or {})}
