"""Nominal CPU-seconds of one default training and evaluation of the tiny base, for the dearest of the thirteen tasks.

The measured CPU-seconds of the same are printed beside it, on stderr.
"""

from __future__ import annotations

import sys

BAR = "train-and-evaluate"
STUDY = "ft_dojo"
KIND = "short"
UNIT = "nominal CPU-seconds (rates of environment/budget.py), dearest task, default sizes, imports excluded"
TARGET = "<= 4"
READS = ("lib/triptych/ft_dojo/tiny_base/*",)


def measure() -> float:
    """What the environment charges for the oracle's training and for scoring val, the dearest of all tasks."""
    from triptych.ft_dojo import comparison, tasks, tiny
    from triptych.ft_dojo.environment.budget import Rates
    from triptych.ft_dojo.environment.training import TrainingWorker

    base, rates = tiny.base(tiny.TinySpec()), Rates()
    charged: dict[str, float] = {}
    with TrainingWorker(base.folder) as worker:
        parameters = worker.ready()
        for name in tasks.names():
            task = tasks.make(name, 0, {"select": 1, "test": 1})
            rows = [(sample.prompt, sample.completion) for sample in comparison.samples(task, "oracle")]
            prompts = [(item.prompt, [item.completion(o) for o in item.options]) for item in task.splits["val"]]
            train, score = worker.training_size(rows, tiny.FINE_TUNE), worker.scoring_size(prompts)
            charged[name] = rates.training(train.batches, train.tokens, parameters)
            charged[name] += rates.scoring(score.batches, score.tokens, parameters)
    dearest = max(charged, key=charged.__getitem__)
    task = tasks.make(dearest, 0, {"select": 1, "test": 1})
    measured = comparison.arms(base, task, tiny.FINE_TUNE, names=["oracle"]).seconds["oracle"]
    print(f"{dearest}: {charged[dearest]:.2f} nominal, {measured:.2f} CPU-seconds measured", file=sys.stderr)
    return charged[dearest]
