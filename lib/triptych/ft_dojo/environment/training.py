"""The orchestrator's side of the training worker: start it once, give it jobs, keep its clock and memory in bounds."""

from __future__ import annotations

import os
import selectors
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import triptych
from triptych.errors import ModelError
from triptych.ft_dojo.environment import checkpoints, sandbox, training_worker
from triptych.ft_dojo.environment.budget import Measured
from triptych.ft_dojo.environment.observations import Refusal
from triptych.ft_dojo.environment.sandbox import Mount
from triptych.ft_dojo.environment.training_worker import (
    EVENTS,
    AnswerJob,
    Answers,
    AnyEvent,
    AnyJob,
    Ended,
    Failed,
    Loss,
    MeasureScoring,
    MeasureTraining,
    Ready,
    Size,
    Trained,
    TrainJob,
)
from triptych.ft_dojo.trainer import TrainRun, TrainSpec

WORKER_UID = 64022  # as the host sees it, when the environment runs as root
PATIENCE = 120.0  # seconds for importing torch and loading the base on a busy machine
POLL = 0.05
DISK = 500_000_000  # bytes of scratch in memory
Rows = Sequence[tuple[str, str]]
Prompts = Sequence[tuple[str, Sequence[str]]]
EventT = TypeVar("EventT", bound=AnyEvent)


@dataclass(frozen=True)
class Clock:
    """Outer limits of one job: wall seconds, CPU-seconds, bytes; None where nothing limits."""

    wall: float | None = None
    cpu: float | None = None
    memory: int | None = None


class TrainingWorker:
    """One persistent process for one base; several sessions may use it in turn. A context manager."""

    def __init__(self, base: Path) -> None:
        """`base` is the folder of the base's weights. The process starts now and imports in the background."""
        self.base = base
        self.wanted = checkpoints.tensors(base / checkpoints.WEIGHTS)
        self.parameters = 0
        self.measured = Measured()
        self._stack = ExitStack()
        self._process: subprocess.Popen[bytes] | None = None
        self._pending = b""
        self._exchange = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="triptych-training-")))
        self._logs = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="triptych-training-log-")))
        self._isolated = not sandbox.problem()
        self._running: ExitStack | None = None
        copy = self._exchange / "base"
        shutil.copytree(base, copy)
        for file in copy.iterdir():
            file.chmod(0o644)
        self.start()

    def __enter__(self) -> TrainingWorker:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """Start the process if it is not running."""
        if self._process is not None and self._process.poll() is None:
            return
        self._stop()
        self._running = ExitStack()
        library = Path(triptych.__file__).parent
        if self._isolated:
            if os.geteuid() == 0:
                os.chown(self._exchange, WORKER_UID, WORKER_UID)
            code = (
                "import sys; sys.path[:0] = ['/library', '/packages'];"
                f"from {training_worker.__name__} import main; main('/exchange/base')"
            )
            mounts = [Mount(library, "/library/triptych"), Mount(self._exchange, "/exchange", writable=True)]
            argv = [sandbox.interpreter(), "-s", "-S", "-P", "-c", code]
            line = self._running.enter_context(sandbox.command(argv, mounts, DISK, WORKER_UID, bound=False))
            environment = sandbox.BARE
        else:  # the environment's own code: isolated where that works, trusted where it does not
            line = [sys.executable, "-m", training_worker.__name__, str(self._exchange / "base")]
            environment = {
                **os.environ,
                "PYTHONPATH": str(library.parent),
                "OMP_NUM_THREADS": "1",
                "HF_HUB_OFFLINE": "1",
            }
        self._log = self._running.enter_context((self._logs / "worker.log").open("w+b"))
        self._process = subprocess.Popen(
            line,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env=environment,
            start_new_session=True,
        )
        self._pending = b""
        self.parameters = 0

    def ready(self) -> int:
        """Wait until the base is loaded; its number of parameters. Raises ModelError when it does not start."""
        self.start()
        if not self.parameters:
            event = self._next(time.monotonic() + PATIENCE)
            if not isinstance(event, Ready):
                raise ModelError(f"the training worker did not start:\n{self._tail()}", "python -m triptych doctor")
            self.parameters = event.parameters
        return self.parameters

    def training_size(self, rows: Rows, spec: TrainSpec) -> Size:
        """What `train` would read and need."""
        return self._do(MeasureTraining(rows=list(rows), spec=spec), Size, Clock())

    def scoring_size(self, prompts: Prompts) -> Size:
        """What `answer` would read and need."""
        return self._do(MeasureScoring(prompts=_pairs(prompts)), Size, Clock())

    def train(
        self, rows: Rows, spec: TrainSpec, into: Path, clock: Clock, on_loss: Callable[[Loss], None] | None = None
    ) -> tuple[TrainRun, str]:
        """Fine-tune a fresh copy of the base; its weights go into the folder `into`, their sha256 (hex) is returned.

        Raises Refusal: `nan` for a loss that leaves the finite or explodes, `timeout`, `memory`.
        """
        out = self._exchange / "out"
        self._clear(out)
        inside = "/exchange/out" if self._isolated else str(out)
        done = self._do(TrainJob(rows=list(rows), spec=spec, out=inside), Trained, clock, on_loss)
        digest = checkpoints.verify(out, self.wanted)
        shutil.rmtree(into, ignore_errors=True)
        into.mkdir(parents=True)
        shutil.copyfile(out / checkpoints.WEIGHTS, into / checkpoints.WEIGHTS)
        return done.run, digest

    def answer(self, prompts: Prompts, model: Path | None, clock: Clock) -> list[str]:
        """One answer text for each prompt, by the weights in the folder `model` (None: the base)."""
        inside = None
        if model is not None:
            copy = self._exchange / "model"
            self._clear(copy)
            copy.mkdir()
            shutil.copyfile(model / checkpoints.WEIGHTS, copy / checkpoints.WEIGHTS)
            inside = "/exchange/model" if self._isolated else str(copy)
        return self._do(AnswerJob(prompts=_pairs(prompts), model=inside), Answers, clock).answers

    def close(self) -> None:
        """End the process and remove its files."""
        self._stop()
        self._stack.close()

    def _do(
        self, job: AnyJob, answer: type[EventT], clock: Clock, on_loss: Callable[[Loss], None] | None = None
    ) -> EventT:
        self.ready()
        process = self._process
        assert process is not None and process.stdin is not None
        started = time.monotonic()
        deadline = started + clock.wall if clock.wall is not None else None
        before = sandbox.usage(process.pid, None).cpu
        peak, cpu = 0, 0.0
        refusal: Refusal | None = None
        result: EventT | None = None
        try:
            process.stdin.write(job.model_dump_json().encode() + b"\n")
            process.stdin.flush()
        except BrokenPipeError:
            pass  # it died; the loop below finds out and says so
        while True:
            event = self._next(time.monotonic() + POLL)
            if isinstance(event, answer):
                result = event
            elif isinstance(event, Loss):
                if on_loss is not None:
                    on_loss(event)
            elif isinstance(event, Failed):
                refusal = Refusal(event.code, event.message, event.hint)
            elif isinstance(event, Ended):
                if event.status and refusal is None:
                    refusal = Refusal("data", f"the job ended with status {event.status}", "look at the rows")
                break
            if process.poll() is not None:  # asked on every turn: a job may outlive its worker, and go on talking
                self._stop()
                refusal = refusal or Refusal("memory", "the training worker was ended from outside", "ask for less")
                break
            used = sandbox.usage(process.pid, clock.memory)
            peak, cpu = max(peak, used.memory), max(cpu, used.cpu - before)
            if refusal is None and (refusal := _over(clock, deadline, used.memory, cpu)) is not None:
                self._cancel()
        self.measured = Measured(wall=time.monotonic() - started, cpu=cpu, memory=peak)
        if refusal is not None:
            raise refusal
        if result is None:
            raise ModelError(f"the training worker gave no answer:\n{self._tail()}", "report this")
        return result

    def _cancel(self) -> None:
        process = self._process
        if process is None or process.stdin is None:
            return
        try:
            process.stdin.write(training_worker.CANCEL)
            process.stdin.flush()
        except BrokenPipeError:
            return

    def _next(self, deadline: float) -> AnyEvent | None:
        """The next event, or None when there is none before `deadline` or the process is gone."""
        process = self._process
        assert process is not None and process.stdout is not None
        with selectors.DefaultSelector() as pipe:
            pipe.register(process.stdout, selectors.EVENT_READ)
            while b"\n" not in self._pending:
                if not pipe.select(max(deadline - time.monotonic(), 0)):
                    return None
                piece = os.read(process.stdout.fileno(), 1 << 20)
                if not piece:
                    process.wait()
                    return None
                self._pending += piece
        line, _, self._pending = self._pending.partition(b"\n")
        return EVENTS.validate_json(line)

    def _clear(self, folder: Path) -> None:
        if folder.exists():
            shutil.rmtree(folder)

    def _stop(self) -> None:
        if self._process is not None:
            sandbox.kill(self._process)
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe is not None:
                    with suppress(BrokenPipeError):
                        pipe.close()
            self._process = None
        if self._running is not None:
            self._running.close()
            self._running = None

    def _tail(self) -> str:
        self._log.seek(0)
        return "\n".join(self._log.read().decode("utf-8", "replace").strip().splitlines()[-8:])


def _over(clock: Clock, deadline: float | None, memory: int, cpu: float) -> Refusal | None:
    if deadline is not None and time.monotonic() > deadline:
        return Refusal("timeout", "the wall clock's budget ran out", "train for fewer steps", flag="ignored_timeout")
    if clock.cpu is not None and cpu > clock.cpu:
        return Refusal("timeout", "the CPU budget ran out", "train for fewer steps", flag="ignored_timeout")
    if clock.memory is not None and memory > clock.memory:
        return Refusal("memory", f"{memory / 1e6:.0f} MB in use", "use a smaller batch")
    return None


def _pairs(prompts: Prompts) -> list[tuple[str, list[str]]]:
    return [(prompt, list(choices)) for prompt, choices in prompts]
