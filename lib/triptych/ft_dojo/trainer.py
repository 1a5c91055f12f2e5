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
EXPLODED = 3.0  # times the first loss, or an even guess among all words if that is more: the training has diverged


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
    packing: bool = Field(default=False, description="short texts of a batch share a row; none sees another")
    neftune_alpha: float = Field(default=0.0, ge=0, allow_inf_nan=False, description="noise on embeddings, 0 for none")
    label_smoothing: float = Field(default=0.0, ge=0, lt=1, description="share of the target spread over all words")
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
    examples, ModelError as soon as a loss is not finite or has exploded (EXPLODED).
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
        inner = cast("Any", trained).get_base_model() if spec.method == "lora" else trained
        losses: list[float] = []
        tokens = 0
        started = time.process_time()
        trained.train()
        for step, batch in zip(range(steps), batches(examples, spec), strict=False):
            loss = loss_of(inner, batch, spec)
            losses.append(loss.item())
            if not losses[-1] <= EXPLODED * max(losses[0], math.log(inner.config.vocab_size)):  # also when it is NaN
                raise ModelError(
                    f"the loss became {losses[-1]:.3g} at step {step}", "lower learning_rate or add warmup"
                )
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


def loss_of(model: PreTrainedModel, batch: Sequence[Example], spec: TrainSpec) -> torch.Tensor:
    """Mean cross-entropy over the targets of a batch, nats per predicted token.

    Logits are made where something is predicted only. With one text a row no mask is needed: rows are padded on the
    right, where a causal model does not look.
    """
    import torch

    forward = cast("Any", model)  # transformers' stubs lose Module.__call__
    ids, _, labels = collate(batch)
    inputs: dict[str, Any] = {}
    if spec.packing:
        ids, labels, inputs = pack(batch)
    embeddings = forward.get_input_embeddings()(ids)
    if spec.neftune_alpha:
        # Jain et al., "NEFTune", 2023: uniform noise of size alpha / sqrt(length * width).
        reach = spec.neftune_alpha / math.sqrt(ids.shape[1] * embeddings.shape[2])
        embeddings = embeddings + torch.empty_like(embeddings).uniform_(-reach, reach)
    hidden = forward.model(inputs_embeds=embeddings, **inputs).last_hidden_state[:, :-1]
    wanted = labels[:, 1:] != IGNORED
    return torch.nn.functional.cross_entropy(
        forward.lm_head(hidden[wanted]), labels[:, 1:][wanted], label_smoothing=spec.label_smoothing
    )


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


def pack(batch: Sequence[Example]) -> tuple[torch.Tensor, torch.Tensor, dict[str, torch.Tensor]]:
    """Token ids and labels as `collate` gives them, but with several texts a row, none longer than the longest text;
    and what the model needs to keep them apart: positions that start anew, and who may look at whom.

    Texts go into the first row with room, the longest first. The loss is that of the same texts one a row.
    """
    import torch

    longest = max(len(example.ids) for example in batch)
    packed: list[list[Example]] = []
    for example in sorted(batch, key=lambda example: -len(example.ids)):
        room = (row for row in packed if sum(len(other.ids) for other in row) + len(example.ids) <= longest)
        row = next(room, None)
        if row is None:
            packed.append([example])
        else:
            row.append(example)
    ids = torch.zeros((len(packed), longest), dtype=torch.long)
    labels = torch.full_like(ids, IGNORED)
    positions = torch.zeros_like(ids)
    owner = torch.full_like(ids, -1)
    for row, examples in enumerate(packed):
        start = 0
        for number, example in enumerate(examples):
            end = start + len(example.ids)
            ids[row, start:end] = torch.tensor(example.ids)
            positions[row, start:end] = torch.arange(len(example.ids))
            owner[row, start:end] = number
            for target in example.targets:
                labels[row, start + target] = example.ids[target]
            start = end
    causal = torch.ones((longest, longest), dtype=torch.bool).tril()
    seen = (owner[:, :, None] == owner[:, None, :]) & causal
    return ids, labels, {"position_ids": positions, "attention_mask": seen[:, None]}


def _with_adapters(model: PreTrainedModel, spec: TrainSpec) -> PreTrainedModel:
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(
        r=spec.lora_rank, lora_alpha=spec.lora_alpha, target_modules="all-linear", task_type="CAUSAL_LM"
    )
    return get_peft_model(model, config)  # pyright: ignore[reportReturnType]  (a PeftModel forwards to the model)
