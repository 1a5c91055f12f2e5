"""Accuracy of the tiny base after fine-tuning minus before, on held-out templates and amounts."""

from __future__ import annotations

BAR = "finetune-gain"
STUDY = "ft_dojo"
KIND = "short"
UNIT = "percentage points, mean of 3 seeds"
TARGET = ">= 15"


def measure() -> float:
    """Mean gain over the tasks of seeds 0 to 2, with the settings of ft_dojo/01_finetune."""
    from triptych.ft_dojo import comparison, tasks, tiny

    base = tiny.base(tiny.TinySpec())
    gains = [
        comparison.tiny(
            base,
            tasks.make("finance", seed),
            tiny.FINE_TUNE.but(seed=seed),
        ).gain
        for seed in range(3)
    ]
    return sum(gains) / len(gains)
