"""One way to describe a training, and the plain PyTorch loop that carries it out.

The same `TrainSpec` drives this loop (tiny base) and unsloth (`unsloth_worker`, language models).
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from triptych.errors import ModelError, ParameterError

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from triptych.ft_dojo.tasks import Item

IGNORED = -100  # the label that torch's cross-entropy leaves out


class TrainSpec(BaseModel):
    """What to train and how. Exactly one of `steps` (optimiser steps) and `epochs` (passes over the data) is given."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: Literal["full", "lora"] = "full"
    steps: int | None = Field(default=None, ge=1)
    epochs: float | None = Field(default=None, gt=0)
    batch: int = Field(default=32, ge=1)
    learning_rate: float = Field(default=1e-3, gt=0, allow_inf_nan=False)
    schedule: Literal["constant", "linear", "cosine"] = "cosine"
    warmup: int = Field(default=0, ge=0, description="steps of linear rise to the learning rate")
    weight_decay: float = Field(default=0.0, ge=0)
    lora_rank: int = Field(default=16, ge=1)
    lora_alpha: int = Field(default=16, ge=1)
    seed: int = 0

    def but(self, **changes: object) -> TrainSpec:
        """This spec with some fields changed, checked again."""
        return train_spec(**(self.model_dump() | changes))

    def steps_for(self, examples: int) -> int:
        """Optimiser steps for a number of examples; an epoch's last batch is filled from the next epoch."""
        return self.steps if self.steps is not None else math.ceil((self.epochs or 0) * examples / self.batch)


@dataclass(frozen=True)
class Example:
    """Token ids, and the positions whose token is predicted from those before it (the loss counts those only)."""

    ids: tuple[int, ...]
    targets: tuple[int, ...]


class TrainRun(BaseModel):
    """What a training did. `losses` holds one mean cross-entropy (nats per predicted token) for each step."""

    losses: list[float]
    steps: int
    tokens: int  # read by the model, padding left out
    parameters: int  # trained
    cpu_seconds: float


OnStep = Callable[[int, float], None]


def train_spec(**fields: object) -> TrainSpec:
    """A checked TrainSpec. Raises ParameterError that names the field, for a value that cannot be trained with."""
    if (fields.get("steps") is None) == (fields.get("epochs") is None):
        raise ParameterError("a training needs its length once", "give either steps or epochs")
    try:
        return TrainSpec.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(map(str, first["loc"]))
        known = ", ".join(TrainSpec.model_fields)
        raise ParameterError(
            f"training parameter {name}: {first['msg']} (got {first['input']!r})", f"known: {known}"
        ) from error


def encode(prompt: str, completion: str, tokenizer: PreTrainedTokenizerBase) -> Example:
    """Prompt and completion as one text of which only the completion is predicted."""
    start = list(tokenizer(prompt)["input_ids"])
    end = list(tokenizer(completion, add_special_tokens=False)["input_ids"])
    return Example(ids=(*start, *end), targets=tuple(range(len(start), len(start) + len(end))))


def examples_of(items: Sequence[Item], tokenizer: PreTrainedTokenizerBase) -> list[Example]:
    """Each item with the completion its label names: what is trained on."""
    return [encode(item.prompt, item.completion(item.answer), tokenizer) for item in items]


@contextmanager
def deterministic(seed: int) -> Generator[None]:
    """Same seed, same numbers on one machine: one thread, deterministic kernels, seeded generator; restored after."""
    import torch

    before = (torch.get_num_threads(), torch.are_deterministic_algorithms_enabled())
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    try:
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            yield
    finally:
        torch.set_num_threads(before[0])
        torch.use_deterministic_algorithms(before[1])


def train(
    model: PreTrainedModel, examples: Sequence[Example], spec: TrainSpec, on_step: OnStep | None = None
) -> tuple[PreTrainedModel, TrainRun]:
    """Train `model` and return it with the run; with `method="lora"` adapters are trained and merged into it.

    The model is changed in place. `on_step(step, loss)` is called after each step. Raises ParameterError for no
    examples, ModelError as soon as a loss is not finite.
    """
    import torch
    from transformers import get_scheduler

    if not examples:
        raise ParameterError("there is nothing to train on", "give at least one example")
    steps = spec.steps_for(len(examples))
    with deterministic(spec.seed):
        trained = _with_adapters(model, spec) if spec.method == "lora" else model
        weights = [weight for weight in trained.parameters() if weight.requires_grad]
        optimiser = torch.optim.AdamW(
            weights, lr=spec.learning_rate, betas=(0.9, 0.98), weight_decay=spec.weight_decay, foreach=True
        )
        schedule = get_scheduler(spec.schedule, optimiser, num_warmup_steps=spec.warmup, num_training_steps=steps)
        losses: list[float] = []
        tokens = 0
        started = time.process_time()
        trained.train()
        forward = cast("Any", trained)  # transformers' stubs lose Module.__call__
        for step, batch in zip(range(steps), batches(examples, spec), strict=False):
            ids, mask, labels = collate(batch)
            loss: torch.Tensor = forward(input_ids=ids, attention_mask=mask, labels=labels).loss
            losses.append(loss.item())
            if not math.isfinite(losses[-1]):
                raise ModelError(f"the loss became {losses[-1]} at step {step}", "lower learning_rate or add warmup")
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(weights, 1.0)
            optimiser.step()
            schedule.step()  # pyright: ignore[reportCallIssue]  (stub of another scheduler: no metrics here)
            tokens += sum(len(example.ids) for example in batch)
            if on_step is not None:
                on_step(step, losses[-1])
        seconds = time.process_time() - started
        merged: PreTrainedModel = cast("Any", trained).merge_and_unload() if spec.method == "lora" else trained
        merged.eval()
    count = sum(weight.numel() for weight in weights)
    return merged, TrainRun(losses=losses, steps=steps, tokens=tokens, parameters=count, cpu_seconds=seconds)


def batches(examples: Sequence[Example], spec: TrainSpec) -> Iterator[list[Example]]:
    """Endless batches: every epoch in a new order, a batch may span two epochs."""
    rng = random.Random(spec.seed)
    queue: list[Example] = []
    while True:
        while len(queue) < spec.batch:
            queue += rng.sample(list(examples), len(examples))
        yield queue[: spec.batch]
        queue = queue[spec.batch :]


def collate(batch: Sequence[Example]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Token ids, attention mask and labels, each (batch, longest), padded on the right."""
    import torch

    longest = max(len(example.ids) for example in batch)
    ids = torch.zeros((len(batch), longest), dtype=torch.long)
    mask = torch.zeros_like(ids)
    labels = torch.full_like(ids, IGNORED)
    for row, example in enumerate(batch):
        length = len(example.ids)
        ids[row, :length] = torch.tensor(example.ids)
        mask[row, :length] = 1
        for position in example.targets:
            labels[row, position] = example.ids[position]
    return ids, mask, labels


def _with_adapters(model: PreTrainedModel, spec: TrainSpec) -> PreTrainedModel:
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(
        r=spec.lora_rank, lora_alpha=spec.lora_alpha, target_modules="all-linear", task_type="CAUSAL_LM"
    )
    return get_peft_model(model, config)  # pyright: ignore[reportReturnType]  (a PeftModel forwards to the model)
