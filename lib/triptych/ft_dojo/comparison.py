"""What fine-tuning changes: one model before and after, and one task's data as they are against cleaned."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pandas as pd

from triptych.ft_dojo import evaluate, language_models, trainer
from triptych.ft_dojo.evaluate import Accuracy
from triptych.ft_dojo.tasks import Task
from triptych.ft_dojo.tiny import Base
from triptych.ft_dojo.trainer import OnStep, TrainRun, TrainSpec


@dataclass(frozen=True)
class Comparison:
    """What one fine-tuning changed."""

    model: str
    seed: int
    before: Accuracy
    after: Accuracy
    run: TrainRun

    @property
    def gain(self) -> float:
        """Accuracy after minus before, percentage points."""
        return 100 * (self.after.value - self.before.value)


def tiny(base: Base, task: Task, spec: TrainSpec, split: str = "test", on_step: OnStep | None = None) -> Comparison:
    """Fine-tune a fresh copy of the tiny base on the task's training split, score it on `split`."""
    items, tokenizer = task.splits[split], base.tokenizer()
    model = base.load()

    def score() -> Accuracy:
        scores = evaluate.option_scores(model, tokenizer, items)
        return evaluate.exact_match(evaluate.predictions(scores), items, task.chance(split))

    before = score()
    model, run = trainer.train(model, trainer.examples_of(task.splits["train"], tokenizer), spec, on_step)
    return Comparison("tiny", spec.seed, before, score(), run)


@dataclass(frozen=True)
class Arms:
    """One task and seed: scores in [0, 1] on a split, by what the tiny base was trained on (`base`: on nothing).

    `normalised` says the same in points above chance; `seconds` is measured CPU time of training and scoring.
    """

    task: str
    seed: int
    chance: float
    score: dict[str, float]
    normalised: dict[str, float]
    seconds: dict[str, float]


def arms(base: Base, task: Task, spec: TrainSpec, split: str = "val") -> Arms:
    """The tiny base untrained, trained on all public rows as they stand, and on the oracle's, at one budget."""
    tokenizer, items = base.tokenizer(), task.splits[split]
    data = {"base": None, "default": task.default_samples(), "oracle": task.oracle_samples()}
    score: dict[str, float] = {}
    seconds: dict[str, float] = {}
    for name, samples in data.items():
        model = base.load()
        started = time.process_time()
        if samples is not None:
            examples = [trainer.encode(sample.prompt, sample.completion, tokenizer) for sample in samples]
            model, _ = trainer.train(model, examples, spec)
        score[name] = task.score(evaluate.answers(model, tokenizer, items), split)
        seconds[name] = time.process_time() - started
    chance = task.chance(split)
    return Arms(
        task=task.id,
        seed=task.seed,
        chance=chance,
        score=score,
        normalised={name: 100 * (value - chance) / (1 - chance) for name, value in score.items()},
        seconds=seconds,
    )


def language_model(
    name: str,
    task: Task,
    spec: TrainSpec,
    split: str = "test",
    on_step: OnStep | None = None,
    on_scored: Callable[[str], None] | None = None,
) -> Comparison:
    """The same with SmolLM2-135M, a folder or a Hugging Face id, trained by unsloth."""
    items = task.splits[split]
    done = language_models.fine_tune(name, task.splits["train"], items, spec, on_step, on_scored)
    chance = task.chance(split)
    before, after = (
        evaluate.exact_match(evaluate.predictions(scores), items, chance) for scores in (done.before, done.after)
    )
    return Comparison(name, spec.seed, before, after, done.run)


def frame(comparisons: Sequence[Comparison]) -> pd.DataFrame:
    """One row for each model, seed and moment: accuracy, its 95 % limits, items and chance."""
    rows = [
        {
            "model": comparison.model,
            "seed": comparison.seed,
            "when": when,
            "accuracy": accuracy.value,
            "low": accuracy.interval[0],
            "high": accuracy.interval[1],
            "items": accuracy.total,
            "chance": accuracy.chance,
        }
        for comparison in comparisons
        for when, accuracy in (("before", comparison.before), ("after", comparison.after))
    ]
    return pd.DataFrame(rows)


def losses(comparisons: Sequence[Comparison]) -> pd.DataFrame:
    """One row for each training step: model, seed, step, loss (nats per predicted token)."""
    rows = [(c.model, c.seed, step, loss) for c in comparisons for step, loss in enumerate(c.run.losses)]
    return pd.DataFrame(rows, columns=["model", "seed", "step", "loss"])
