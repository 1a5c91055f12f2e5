"""The tiny base: a Llama of a few hundred thousand parameters that knows the tasks' words and sub-skills.

Small enough that a sweep with seeds is affordable. It tests agents and environments, not models: its scores are no
replication of anything the paper reports. It could not learn to look things up from random weights within minutes, so
the heads that do so are part of its first weights (`look_up`); what it looks up for what, it learns in pretraining.
That takes about fourteen minutes of one core, so the weights of the default spec lie beside this module with their
record; `python -m triptych.ft_dojo.tiny` makes them again.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import random
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from triptych import data, paths
from triptych.errors import DataError
from triptych.ft_dojo import look_up, pretraining, trainer, vocabulary
from triptych.ft_dojo.trainer import Example, OnStep, TrainRun, TrainSpec

if TYPE_CHECKING:
    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

SHIPPED = Path(__file__).with_name("tiny_base")
WEIGHTS, RECORD = "model.safetensors", "record.json"
ROW = 64  # tokens of one pretraining row: several statements, packed
PRETRAIN = TrainSpec(
    steps=sum(part.steps for part in pretraining.PARTS.values()),
    batch=24,
    learning_rate=3e-3,
    warmup=100,
    weight_decay=0.01,
)
FINE_TUNE = TrainSpec(steps=50, batch=24, learning_rate=3e-3, warmup=25)  # chosen on tasks of seeds from 100 on


class TinySpec(BaseModel):
    """Shape and pretraining of the tiny base; with the code that uses it, all that decides its weights.

    `train` is the whole of pretraining: its steps are shared out to three parts (see `parts`). A model without room for
    the heads of `look_up` starts from random weights.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    hidden: int = Field(default=96, ge=8)
    layers: int = Field(default=3, ge=1)
    heads: int = Field(default=4, ge=1)
    feed_forward: int = Field(default=192, ge=8)
    train: TrainSpec = PRETRAIN


class Record(BaseModel):
    """How the shipped weights were made. `recipe` tells spec and words, `rows` the first rows, `run` what was done."""

    recipe: str
    rows: str
    sha256: str
    command: str
    torch: str
    run: TrainRun


@dataclass(frozen=True)
class Base:
    """A pretrained tiny base on disk. `sha256` is that of its weights, `run` what pretraining did."""

    folder: Path
    sha256: str
    run: TrainRun

    def load(self) -> LlamaForCausalLM:
        """A fresh copy of the model, ready to be trained further."""
        from transformers import LlamaForCausalLM
        from transformers.utils import logging

        logging.disable_progress_bar()  # it would flicker for every one of a hundred copies
        return LlamaForCausalLM.from_pretrained(self.folder, local_files_only=True)

    def tokenizer(self) -> PreTrainedTokenizerFast:
        """Its word-level tokenizer."""
        return vocabulary.tokenizer()


def base(spec: TinySpec, on_step: OnStep | None = None) -> Base:
    """The tiny base of this spec: the shipped one if it is of this spec, else from the cache, else pretrained.

    Raises DataError when the shipped weights are not the bytes that their record names.
    """
    if shipped := _shipped(spec):
        return shipped
    folder = paths.cache() / "ft_dojo" / f"tiny-{key(spec)}"
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".tiny-") as scratch:
            made = Path(scratch) / "made"
            run = _save(spec, made, on_step)
            (made / "run.json").write_text(run.model_dump_json(), "utf-8")
            try:
                made.rename(folder)
            except OSError:  # another process was faster, with the same weights
                if not folder.exists():
                    raise
    run = TrainRun.model_validate_json((folder / "run.json").read_text("utf-8"))
    return Base(folder, data.sha256(folder / WEIGHTS), run)


def ship(on_step: OnStep | None = None) -> Record:
    """Pretrain the default spec, and put its weights and their record beside this module."""
    import torch

    spec = TinySpec()
    with tempfile.TemporaryDirectory(dir=SHIPPED.parent, prefix=".tiny-") as scratch:
        made = Path(scratch) / "made"
        run = _save(spec, made, on_step)
        short = run.model_copy(update={"losses": [round(loss, 4) for loss in run.losses]})
        record = Record(
            recipe=recipe(spec),
            rows=rows_digest(spec),
            sha256=data.sha256(made / WEIGHTS),
            command="python -m triptych.ft_dojo.tiny",
            torch=str(torch.__version__),
            run=short,
        )
        (made / RECORD).write_text(record.model_dump_json(indent=1), "utf-8")
        if SHIPPED.exists():
            shutil.rmtree(SHIPPED)
        made.rename(SHIPPED)
    return record


def _shipped(spec: TinySpec) -> Base | None:
    if not (SHIPPED / RECORD).exists():
        return None
    record = Record.model_validate_json((SHIPPED / RECORD).read_text("utf-8"))
    if record.recipe != recipe(spec):
        return None
    if (found := data.sha256(SHIPPED / WEIGHTS)) != record.sha256:
        raise DataError(f"the tiny base's weights have sha256 {found}, not {record.sha256}", f"run {record.command}")
    return Base(SHIPPED, record.sha256, record.run)


def _save(spec: TinySpec, folder: Path, on_step: OnStep | None) -> TrainRun:
    from transformers.utils import logging

    model, run = pretrain(spec, on_step)
    logging.disable_progress_bar()
    model.save_pretrained(folder)
    return run


def recipe(spec: TinySpec) -> str:
    """Sixteen hex digits of the spec and the vocabulary, which weights must agree with to be of any use.

    Unlike `key` it does not change with the code of the trainer or torch's version: weights are shipped because making
    them again is slow, and are identified by their own digest. That they are of today's mixture, a test holds.
    """
    return _digest(spec.model_dump_json(), json.dumps(vocabulary.words()))


def rows_digest(spec: TinySpec) -> str:
    """Sixteen hex digits of the first rows of each part of pretraining."""
    seed = spec.train.seed
    found = [row for part in pretraining.PARTS for row in rows(200, seed, part)]
    return _digest(json.dumps([(row.ids, row.targets) for row in found]))


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def key(spec: TinySpec) -> str:
    """Sixteen hex digits that change with the spec, the vocabulary, the code of pretraining and torch's version."""
    import torch

    parts = [spec.model_dump_json(), json.dumps(vocabulary.words()), str(torch.__version__)]
    parts += [Path(module.__file__ or "").read_text("utf-8") for module in (look_up, pretraining, trainer)]
    parts.append(Path(__file__).read_text("utf-8"))
    return _digest(*parts)


def build(spec: TinySpec) -> LlamaForCausalLM:
    """The untrained model: Llama layers, tied embeddings, weights from the spec's seed, look-up laid out in them."""
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=len(vocabulary.words()),
        hidden_size=spec.hidden,
        intermediate_size=spec.feed_forward,
        num_hidden_layers=spec.layers,
        num_attention_heads=spec.heads,
        max_position_embeddings=128,
        rope_parameters={"rope_type": "default", "rope_theta": look_up.THETA},
        tie_word_embeddings=True,
        initializer_range=round(spec.hidden**-0.5, 3),  # the usual 0.02 is for wide models and starts far slower here
        pad_token_id=vocabulary.SPECIAL.index("<pad>"),
        bos_token_id=vocabulary.SPECIAL.index("<bos>"),
        eos_token_id=None,
        use_cache=False,
    )
    with trainer.deterministic(spec.train.seed):
        model = LlamaForCausalLM(config)
        if look_up.fits(config):
            look_up.lay_out(model, vocabulary.words())
    return model


def pretrain(spec: TinySpec, on_step: OnStep | None = None) -> tuple[LlamaForCausalLM, TrainRun]:
    """Train the built model on the parts of its pretraining in turn; no row is seen twice."""
    model = build(spec)
    runs: list[TrainRun] = []
    for train, examples in parts(spec):
        done = sum(run.steps for run in runs)
        _, run = trainer.train(model, examples, train, on_step and (lambda step, loss, d=done: on_step(d + step, loss)))
        runs.append(run)
    return model, TrainRun(
        losses=[loss for run in runs for loss in run.losses],
        steps=sum(run.steps for run in runs),
        tokens=sum(run.tokens for run in runs),
        parameters=runs[-1].parameters,
        cpu_seconds=sum(run.cpu_seconds for run in runs),
    )


def parts(spec: TinySpec) -> list[tuple[TrainSpec, list[Example]]]:
    """The parts of pretraining, each with its own schedule and its rows, in proportion to the steps of `spec.train`.

    A part too short for a step is left out.
    """
    scale, seed = spec.train.steps_for(0) / (PRETRAIN.steps or 1), spec.train.seed
    made: list[tuple[TrainSpec, list[Example]]] = []
    ends = [round(scale * end) for end in itertools.accumulate(part.steps for part in pretraining.PARTS.values())]
    for (name, part), (start, end) in zip(pretraining.PARTS.items(), itertools.pairwise([0, *ends]), strict=True):
        if end > start:
            train = spec.train.but(steps=end - start, learning_rate=part.rate * spec.train.learning_rate)
            made.append((train, rows((end - start) * train.batch, seed, name)))
    return made


def rows(count: int, seed: int, part: str = "skills") -> list[Example]:
    """`count` rows of a part, each a text of ROW tokens at most that starts with `<bos>`."""
    ids = {word: index for index, word in enumerate(vocabulary.words())}
    made: list[Example] = []
    for text in itertools.islice(pretraining.PARTS[part].texts(random.Random(f"tiny/{part}/{seed}"), ROW - 1), count):
        row, targets = [ids["<bos>"]], list[int]()
        for statement in text:
            targets += [len(row) + position for position in statement.inferred]
            row += [ids[word] for word in statement.words]
        made.append(Example(tuple(row), tuple(targets)))
    return made


if __name__ == "__main__":
    done = ship()
    print(f"{SHIPPED.name}: {done.run.parameters:,} parameters, sha256 {done.sha256}")
