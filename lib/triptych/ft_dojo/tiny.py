"""The tiny base: a Llama of a few hundred thousand parameters, pretrained here in under a minute of one core.

Small enough that a sweep with seeds is affordable. It tests agents and environments, not models: its scores are no
replication of anything the paper reports.
"""

from __future__ import annotations

import hashlib
import json
import random
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from triptych import data, paths
from triptych.ft_dojo import pretraining, trainer, vocabulary
from triptych.ft_dojo.trainer import Example, OnStep, TrainRun, TrainSpec

if TYPE_CHECKING:
    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

ROW = 48  # tokens of one pretraining row: several statements, packed


PRETRAIN = TrainSpec(steps=800, batch=32, learning_rate=4e-3, warmup=40, weight_decay=0.01)
FINE_TUNE = TrainSpec(steps=60, batch=32, learning_rate=2e-3, warmup=5)  # 1.5 CPU-seconds; chosen on val


class TinySpec(BaseModel):
    """Shape and pretraining of the tiny base; with the code that uses it, all that decides its weights."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    hidden: int = Field(default=64, ge=8)
    layers: int = Field(default=3, ge=1)
    heads: int = Field(default=4, ge=1)
    feed_forward: int = Field(default=128, ge=8)
    train: TrainSpec = PRETRAIN


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
    """The tiny base of this spec: from the cache when it was made by the same code, else pretrained and cached."""
    folder = paths.cache() / "ft_dojo" / f"tiny-{key(spec)}"
    if not folder.exists():
        from transformers.utils import logging

        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".tiny-") as scratch:
            made = Path(scratch) / "made"
            model, run = pretrain(spec, on_step)
            logging.disable_progress_bar()
            model.save_pretrained(made)
            (made / "run.json").write_text(run.model_dump_json(), "utf-8")
            try:
                made.rename(folder)
            except OSError:  # another process was faster, with the same weights
                if not folder.exists():
                    raise
    run = TrainRun.model_validate_json((folder / "run.json").read_text("utf-8"))
    return Base(folder, data.sha256(folder / "model.safetensors"), run)


def key(spec: TinySpec) -> str:
    """Sixteen hex digits that change with the spec, the vocabulary, the code of pretraining and torch's version."""
    import torch

    parts = [spec.model_dump_json(), json.dumps(vocabulary.words()), str(torch.__version__)]
    parts += [Path(module.__file__ or "").read_text("utf-8") for module in (pretraining, trainer)]
    parts.append(Path(__file__).read_text("utf-8"))
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def build(spec: TinySpec) -> LlamaForCausalLM:
    """The untrained model: Llama layers, tied embeddings, weights from the spec's seed."""
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=len(vocabulary.words()),
        hidden_size=spec.hidden,
        intermediate_size=spec.feed_forward,
        num_hidden_layers=spec.layers,
        num_attention_heads=spec.heads,
        max_position_embeddings=128,
        tie_word_embeddings=True,
        initializer_range=0.15,  # about hidden**-0.5; the usual 0.02 is for wide models and starts far slower here
        pad_token_id=vocabulary.SPECIAL.index("<pad>"),
        bos_token_id=vocabulary.SPECIAL.index("<bos>"),
        eos_token_id=None,
        use_cache=False,
    )
    with trainer.deterministic(spec.train.seed):
        return LlamaForCausalLM(config)


def pretrain(spec: TinySpec, on_step: OnStep | None = None) -> tuple[LlamaForCausalLM, TrainRun]:
    """Train from nothing on the mixture of `pretraining`; no row is seen twice."""
    model = build(spec)
    examples = rows(spec.train.steps_for(0) * spec.train.batch, spec.train.seed)
    _, run = trainer.train(model, examples, spec.train, on_step)
    return model, run


def rows(count: int, seed: int) -> list[Example]:
    """`count` rows of packed statements, each a text of ROW tokens at most that starts with `<bos>`."""
    ids = {word: index for index, word in enumerate(vocabulary.words())}
    made: list[Example] = []
    row, targets = [ids["<bos>"]], list[int]()
    for statement in pretraining.statements(random.Random(f"tiny/{seed}")):
        if len(row) + len(statement.words) > ROW:
            made.append(Example(tuple(row), tuple(targets)))
            row, targets = [ids["<bos>"]], []
            if len(made) == count:
                break
        targets += [len(row) + position for position in statement.inferred]
        row += [ids[word] for word in statement.words]
    return made
