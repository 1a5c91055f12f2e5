"""Tasks on which gold answers do not score 1.0, or empty, junk or constant answers score above chance."""

from __future__ import annotations

from collections import Counter

BAR = "gold-and-junk-answers"
STUDY = "ft_dojo"
KIND = "short"
UNIT = "tasks of 13 that fail, 3 seeds, default sizes of val and test"
TARGET = "== 0"


def measure() -> float:
    """Failing tasks."""
    from triptych.ft_dojo import tasks

    failed: set[str] = set()
    for name in tasks.names():
        for seed in range(3):
            task = tasks.make(name, seed, {"train": 50, "select": 1})
            for split in ("val", "test"):
                golds = [item.answer for item in task.splits[split]]
                if task.score(golds, split) != 1:
                    failed.add(name)
                for answer in ("", "zebra ( (", Counter(golds).most_common(1)[0][0]):
                    if task.score([answer] * len(golds), split) > task.chance(split):
                        failed.add(name)
    return float(len(failed))
