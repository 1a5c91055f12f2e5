"""CPU seconds of one default training and evaluation of the tiny base, for the dearest of the thirteen tasks."""

from __future__ import annotations

BAR = "train-and-evaluate"
STUDY = "ft_dojo"
KIND = "short"
UNIT = "CPU-seconds measured, dearest task, default size, imports excluded"
TARGET = "<= 4"
READS = ("lib/triptych/ft_dojo/tiny_base/*",)


def measure() -> float:
    """Seconds of the oracle's training and scoring val, the larger of the tasks with the longest texts."""
    from triptych.ft_dojo import comparison, tasks, tiny

    base = tiny.base(tiny.TinySpec())
    return max(
        comparison.arms(base, tasks.make(name, 0, {"select": 1, "test": 1}), tiny.FINE_TUNE).seconds["oracle"]
        for name in ("reaction", "molecule_optimisation")
    )
