"""The process in which unsloth fine-tunes: one job on standard input, one event a line on standard output.

Started by `language_models.fine_tune`. It holds no gold of the items it scores: prompts and options go in, scores come
out.
"""

from __future__ import annotations

import math
import os
import sys
import time
from typing import IO, Annotated, Any, Literal

from pydantic import BaseModel, Field

from triptych.errors import ModelError
from triptych.ft_dojo.trainer import TrainRun, TrainSpec


class Job(BaseModel):
    """A model (folder or Hugging Face id), prompts with completions to train on, prompts with options to score."""

    model: str
    train: list[tuple[str, str]]
    test: list[tuple[str, list[str]]]
    spec: TrainSpec
    longest: int = 256  # tokens of the longest text


class LossEvent(BaseModel):
    """Mean cross-entropy of one training step, nats per predicted token."""

    kind: Literal["loss"] = "loss"
    step: int
    loss: float


class ScoresEvent(BaseModel):
    """Log-likelihood of every option of every test item."""

    kind: Literal["scores"] = "scores"
    when: Literal["before", "after"]
    scores: list[list[float]]


class ResultEvent(BaseModel):
    """The training is over."""

    kind: Literal["result"] = "result"
    run: TrainRun


Event = Annotated[LossEvent | ScoresEvent | ResultEvent, Field(discriminator="kind")]


def main() -> None:
    """Read the job, score, train, score."""
    # Libraries print banners: standard output is kept for events alone, everything else goes to standard error.
    events = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    job = Job.model_validate_json(sys.stdin.read())
    fine_tune(job, events)


def fine_tune(job: Job, events: IO[str]) -> None:
    """Carry out one job and write its events."""
    # isort: off
    from unsloth import FastLanguageModel as Fast  # before trl, transformers and peft: it patches them

    # isort: on
    import torch
    from datasets import Dataset
    from transformers import TrainerCallback
    from trl import SFTConfig, SFTTrainer  # pyright: ignore[reportPrivateImportUsage]  (the documented, patched names)

    from triptych.ft_dojo.evaluate import continuation_scores

    FastLanguageModel: Any = Fast  # untyped: its classes are rewritten at import
    spec = job.spec
    torch.manual_seed(spec.seed)
    model, tokenizer = FastLanguageModel.from_pretrained(
        job.model,
        max_seq_length=job.longest,
        dtype=None if torch.cuda.is_available() else torch.float32,  # bf16 is emulated on CPU, and slower
        load_in_4bit=False,
        full_finetuning=spec.method == "full",
    )
    if spec.method == "lora":
        model = FastLanguageModel.get_peft_model(
            model,
            r=spec.lora_rank,
            lora_alpha=spec.lora_alpha,
            target_modules=["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
            use_gradient_checkpointing=False,  # short prompts: activations fit, recomputing them would only cost time
            random_state=spec.seed,
        )

    def score(when: Literal["before", "after"]) -> None:
        FastLanguageModel.for_inference(model)
        scores = continuation_scores(model, tokenizer, job.test, batch=32)  # keeps memory below training's
        _say(events, ScoresEvent(when=when, scores=scores.tolist()))
        FastLanguageModel.for_training(model, use_gradient_checkpointing=False)

    losses: list[float] = []

    class Stream(TrainerCallback):
        def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **_: Any) -> None:
            if logs and "loss" in logs:
                losses.append(logs["loss"])
                if not math.isfinite(losses[-1]):
                    raise ModelError(f"the loss became {losses[-1]} at step {len(losses) - 1}", "lower learning_rate")
                _say(events, LossEvent(step=len(losses) - 1, loss=losses[-1]))

    score("before")
    rows = [{"prompt": prompt, "completion": completion} for prompt, completion in job.train]
    steps = spec.steps_for(len(rows))
    trainer = SFTTrainer(
        model=model,
        processing_class=tokenizer,
        train_dataset=Dataset.from_list(rows),
        callbacks=[Stream()],
        args=SFTConfig(
            output_dir="trainer",
            max_steps=steps,
            per_device_train_batch_size=spec.batch,
            learning_rate=spec.learning_rate,
            lr_scheduler_type=spec.schedule,
            warmup_steps=spec.warmup,
            weight_decay=spec.weight_decay,
            neftune_noise_alpha=spec.neftune_alpha or None,
            optim="adamw_torch",
            max_length=job.longest,
            completion_only_loss=True,
            logging_steps=1,
            save_strategy="no",
            report_to="none",
            seed=spec.seed,
            dataset_num_proc=1,
            include_num_input_tokens_seen="non_padding",
        ),
    )
    started = time.process_time()
    trainer.train()
    seconds = time.process_time() - started
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    score("after")
    tokens = int(trainer.state.num_input_tokens_seen)
    run = TrainRun(
        losses=losses, steps=steps, tokens=tokens, parameters=sum(w.numel() for w in weights), cpu_seconds=seconds
    )
    _say(events, ResultEvent(run=run))


def _say(events: IO[str], event: BaseModel) -> None:
    events.write(event.model_dump_json() + "\n")
    events.flush()


if __name__ == "__main__":
    main()
