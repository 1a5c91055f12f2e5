"""What fine-tuning changes: one model before and after, and one task's data as they are against cleaned."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pandas as pd

from triptych.errors import ParameterError
from triptych.ft_dojo import evaluate, language_models, trainer
from triptych.ft_dojo.evaluate import Accuracy
from triptych.ft_dojo.tasks import Sample, Task
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


ARMS = {
    "base": "untrained",
    "default": "all public rows as they stand",
    "clean": "the same rows before they were damaged",
    "oracle": "the public rows, repaired or left out by one who knows the damage",
}


@dataclass(frozen=True)
class Arms:
    """One task and seed: scores in [0, 1] on a split, by what the tiny base was trained on (see ARMS).

    `normalised` says the same in points above chance; `seconds` is measured CPU time of training and scoring.
    """

    task: str
    seed: int
    chance: float
    score: dict[str, float]
    normalised: dict[str, float]
    seconds: dict[str, float]


def samples(task: Task, arm: str) -> list[Sample]:
    """What an arm is trained on. Raises ParameterError for an arm that is not in ARMS."""
    if arm == "default":
        return task.default_samples()
    if arm == "clean":
        return [Sample(item.prompt, item.completion(item.answer)) for item in task.splits["train"]]
    if arm == "oracle":
        return task.oracle_samples()
    if arm == "base":
        return []
    raise ParameterError(f"no arm is called {arm!r}", f"arms: {', '.join(ARMS)}")


def arms(
    base: Base, task: Task, spec: TrainSpec, split: str = "val", names: Sequence[str] = tuple(ARMS), rows: int = 0
) -> Arms:
    """The tiny base trained on what each arm is given, at one budget; with `rows`, on the first so many of it."""
    tokenizer, items = base.tokenizer(), task.splits[split]
    score: dict[str, float] = {}
    seconds: dict[str, float] = {}
    for name in names:
        model, given = base.load(), samples(task, name)[: rows or None]
        started = time.process_time()
        if given:
            examples = [trainer.encode(sample.prompt, sample.completion, tokenizer) for sample in given]
            model, _ = trainer.train(model, examples, spec)
        score[name] = task.score(evaluate.answers(model, tokenizer, items), split)
        seconds[name] = time.process_time() - started
    return Arms(
        task=task.id,
        seed=task.seed,
        chance=task.chance(split),
        score=score,
        normalised={name: task.normalised(value, split) for name, value in score.items()},
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
