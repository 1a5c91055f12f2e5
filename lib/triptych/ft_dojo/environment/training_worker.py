"""The process that trains and answers prompts: torch imported once, the base loaded once, one fork for each job.

It reads jobs from standard input and writes events to standard output, one JSON line each. It runs the environment's
own code on validated rows and a validated spec; nothing an agent wrote is executed here, and no gold answer comes here.
A job's child dies without taking the worker along; `cancel` ends it.
"""

from __future__ import annotations

import copy
import math
import os
import select
import signal
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, Field, TypeAdapter

from triptych.errors import ModelError, TriptychError
from triptych.ft_dojo.trainer import TrainRun, TrainSpec

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

BATCH = 128  # sequences scored at a time
END = "."  # ends an answer
EXPLODED = 3.0  # times the first loss, as a mean of the last five: such a training does not come back
OVERHEAD = 700_000_000  # bytes of the worker before any job: torch, transformers and the base


class MeasureTraining(BaseModel):
    """What would this training read and need? Answered without training."""

    job: Literal["measure_training"] = "measure_training"
    rows: list[tuple[str, str]]
    spec: TrainSpec


class MeasureScoring(BaseModel):
    """What would answering these prompts read?"""

    job: Literal["measure_scoring"] = "measure_scoring"
    prompts: list[tuple[str, list[str]]]


class TrainJob(BaseModel):
    """Fine-tune the base on rows, write the weights into `out`."""

    job: Literal["train"] = "train"
    rows: list[tuple[str, str]]
    spec: TrainSpec
    out: str


class AnswerJob(BaseModel):
    """Answer prompts with the weights in `model` (None: the base)."""

    job: Literal["answer"] = "answer"
    prompts: list[tuple[str, list[str]]]
    model: str | None


Job = Annotated[MeasureTraining | MeasureScoring | TrainJob | AnswerJob, Field(discriminator="job")]
AnyJob = MeasureTraining | MeasureScoring | TrainJob | AnswerJob


class Ready(BaseModel):
    """The worker has imported everything and loaded the base."""

    event: Literal["ready"] = "ready"
    parameters: int


class Size(BaseModel):
    """`tokens` that a job reads, in `batches` (steps, for a training); `longest` sequence; bytes needed."""

    event: Literal["size"] = "size"
    tokens: int
    batches: int
    longest: int
    context: int  # longest sequence that the model can read
    unknown: int  # tokens that are no words of the base
    memory: int


class Loss(BaseModel):
    """Mean cross-entropy of one step (nats per predicted token)."""

    event: Literal["loss"] = "loss"
    step: int
    loss: float | None  # None: not finite


class Trained(BaseModel):
    """The training ended well."""

    event: Literal["trained"] = "trained"
    run: TrainRun


class Answers(BaseModel):
    """One answer text for each prompt, in order."""

    event: Literal["answers"] = "answers"
    answers: list[str]


class Failed(BaseModel):
    """The job failed: `nan` when the loss left the finite or exploded, `data` otherwise."""

    event: Literal["failed"] = "failed"
    code: Literal["nan", "data"]
    message: str
    hint: str


class Ended(BaseModel):
    """The job's child is gone; `status` as of `os.waitstatus_to_exitcode`."""

    event: Literal["ended"] = "ended"
    status: int


AnyEvent = Ready | Size | Loss | Trained | Answers | Failed | Ended
Event = Annotated[AnyEvent, Field(discriminator="event")]
EVENTS: TypeAdapter[AnyEvent] = TypeAdapter(Event)
JOBS: TypeAdapter[AnyJob] = TypeAdapter(Job)
CANCEL = b"cancel\n"


def main(base: str) -> None:
    """Serve until standard input ends."""
    sys.stdout.flush()
    events = os.dup(1)
    os.dup2(2, 1)  # libraries print; events alone go to standard output
    worker = Worker(Path(base), events)
    say(events, Ready(parameters=worker.parameters))
    pending = b""
    while True:
        piece = os.read(0, 1 << 20)
        if not piece:
            return
        pending += piece
        while b"\n" in pending:
            line, _, pending = pending.partition(b"\n")
            if line + b"\n" != CANCEL:  # one that arrives after its job has ended is late, not wrong
                pending = worker.serve(line, pending)


class Worker:
    """The base and its tokenizer, and the jobs done with them."""

    def __init__(self, base: Path, events: int) -> None:
        import torch
        from transformers import LlamaForCausalLM
        from transformers.utils import logging

        from triptych.ft_dojo import evaluate, trainer, vocabulary

        logging.disable_progress_bar()
        torch.set_num_threads(1)
        self.events = events
        self.model: PreTrainedModel = LlamaForCausalLM.from_pretrained(base, local_files_only=True)
        self.tokenizer: PreTrainedTokenizerBase = vocabulary.tokenizer()
        self.parameters = sum(weight.numel() for weight in self.model.parameters())
        # One step on a copy imports what a first job would, so that no job pays for it.
        example = trainer.encode("a", "b", self.tokenizer)
        model, _ = trainer.train(copy.deepcopy(self.model), [example], TrainSpec(steps=1, batch=1))
        evaluate.continuation_scores(model, self.tokenizer, [("a", ["b"])])

    def serve(self, line: bytes, pending: bytes) -> bytes:
        """Do one job in a child; returns what came on standard input and was no `cancel`."""
        child = os.fork()
        if child == 0:
            status = 1
            try:
                os.close(0)
                self.do(JOBS.validate_json(line))
                status = 0
            except ModelError as error:
                say(self.events, Failed(code="nan", message=error.message, hint=error.hint or "lower learning_rate"))
            except TriptychError as error:
                say(self.events, Failed(code="data", message=error.message, hint=error.hint or "look at the rows"))
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(status)
        while os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            if not select.select([0], [], [], 0.005)[0]:
                continue
            piece = os.read(0, 1 << 20)
            if not piece or CANCEL in piece:
                os.kill(child, signal.SIGKILL)
                pending += piece.replace(CANCEL, b"")
                if not piece:
                    break
            else:
                pending += piece
        _, status = os.waitpid(child, 0)
        say(self.events, Ended(status=os.waitstatus_to_exitcode(status)))
        return pending

    def do(self, job: AnyJob) -> None:
        """One job, in the child."""
        if isinstance(job, MeasureTraining):
            say(self.events, self.training_size(job))
        elif isinstance(job, MeasureScoring):
            say(self.events, self.scoring_size(job))
        elif isinstance(job, TrainJob):
            self.train(job)
        else:
            self.answer(job)

    def training_size(self, job: MeasureTraining) -> Size:
        """Exactly the tokens that `trainer.train` will read: its batches are drawn from the spec's seed."""
        from triptych.ft_dojo import trainer

        examples = [trainer.encode(prompt, completion, self.tokenizer) for prompt, completion in job.rows]
        steps = job.spec.steps_for(len(examples))
        drawn = zip(range(steps), trainer.batches(examples, job.spec), strict=False)
        tokens = sum(len(example.ids) for _, batch in drawn for example in batch)
        unknown = sum(example.ids.count(self._unknown) for example in examples)
        return self._size(
            tokens, steps, [len(example.ids) for example in examples], unknown, job.spec.batch, training=True
        )

    def scoring_size(self, job: MeasureScoring) -> Size:
        """Tokens of every prompt with each of its choices, or with the longest answer where there are none.

        Answers are written a token at a time by all prompts of equal length together: each token is a batch.
        """
        from triptych.ft_dojo import evaluate

        chosen: list[int] = []
        written: list[int] = []
        for prompt, choices in job.prompts:
            start = len(self._ids(prompt))
            chosen += [start + len(self._ids(choice, start=False)) for choice in choices]
            written += [] if choices else [start + evaluate.LONGEST_ANSWER]
        batches = math.ceil(len(chosen) / BATCH) + evaluate.LONGEST_ANSWER * len(set(written))
        lengths = chosen + written
        return self._size(sum(lengths), batches, lengths, 0, max(BATCH, len(written)), training=False)

    def train(self, job: TrainJob) -> None:
        """Fine-tune and save; stops as soon as the loss is not finite or explodes."""
        from triptych.ft_dojo import trainer

        examples = [trainer.encode(prompt, completion, self.tokenizer) for prompt, completion in job.rows]
        losses: list[float] = []

        def on_step(step: int, loss: float) -> None:
            losses.append(loss)
            say(self.events, Loss(step=step, loss=loss))
            if len(losses) > 5 and sum(losses[-5:]) / 5 > EXPLODED * losses[0]:
                raise ModelError(f"the loss exploded to {loss:.3g} at step {step}", "lower learning_rate or add warmup")

        model, run = trainer.train(self.model, examples, job.spec, on_step)
        model.save_pretrained(job.out)
        say(self.events, Trained(run=run))

    def answer(self, job: AnswerJob) -> None:
        """The likeliest choice of each prompt, or a greedy continuation where there are none."""
        from safetensors.torch import load_model

        from triptych.ft_dojo import evaluate

        if job.model is not None:  # into the base's own architecture: the folder's configuration is never read
            load_model(self.model, str(Path(job.model) / "model.safetensors"))
        answers = [""] * len(job.prompts)
        groups: dict[int, list[int]] = {}
        for index, (_, choices) in enumerate(job.prompts):
            groups.setdefault(len(choices), []).append(index)
        for count, members in groups.items():
            chosen = [job.prompts[index] for index in members]
            if count == 0:
                texts = evaluate.greedy(self.model, self.tokenizer, [prompt for prompt, _ in chosen])
            else:
                scores = evaluate.continuation_scores(self.model, self.tokenizer, chosen, batch=BATCH)
                texts = [choices[best] for (_, choices), best in zip(chosen, scores.argmax(axis=1), strict=True)]
            for index, text in zip(members, texts, strict=True):
                answers[index] = text.strip().removesuffix(END).strip()
        say(self.events, Answers(answers=answers))

    def _ids(self, text: str, start: bool = True) -> list[int]:
        return list(self.tokenizer(text, add_special_tokens=start)["input_ids"])

    @property
    def _unknown(self) -> int:
        found: Any = self.tokenizer.unk_token_id
        return int(found)

    def _size(
        self, tokens: int, batches: int, lengths: Sequence[int], unknown: int, batch: int, training: bool
    ) -> Size:
        """Memory as in Korthikanti et al. 2022 (arXiv 2205.05198, eq. 2), doubled for 32-bit values, and the logits."""
        config: Any = self.model.config
        longest = max(lengths, default=0)
        hidden, layers, heads = config.hidden_size, config.num_hidden_layers, config.num_attention_heads
        cells = min(batch, max(len(lengths), 1)) * longest if not training else batch * longest
        layer = 2 * cells * hidden * (34 + 5 * heads * longest / hidden)
        logits = 16 * cells * config.vocab_size
        kept = layers if training else 1  # scoring forgets a layer's activations when the next is reached
        weights = self.parameters * (16 if training else 4)
        memory = int(OVERHEAD + weights + kept * layer + logits)
        return Size(
            tokens=tokens, batches=batches, longest=longest, context=config.max_position_embeddings, unknown=unknown,
            memory=memory,
        )  # fmt: skip


def say(events: int, event: BaseModel) -> None:
    """Write one event. Losses that are not finite become null: JSON has no word for them."""
    raw = (event.model_dump_json() + "\n").encode()
    while raw:
        raw = raw[os.write(events, raw) :]


if __name__ == "__main__":
    main(sys.argv[1])
