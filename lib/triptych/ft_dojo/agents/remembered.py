"""A training worker that does nothing twice: studies in which many runs make the same trainings.

The arms of an ablation, a simulated human of five accuracies and a branch of a run share most of their trainings. The
same rows, specification and base give the same weights, so this worker looks them up on disk under a digest of all that
decides them, and asks its process only for what is new. What a run is *charged* does not change, since that is nominal;
what was *measured* of a remembered job is nothing, so measured seconds of such runs are not the runs' own.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from triptych import paths
from triptych.ft_dojo import evaluate, trainer
from triptych.ft_dojo.environment import checkpoints, training, training_worker
from triptych.ft_dojo.environment.budget import Measured
from triptych.ft_dojo.environment.observations import Refusal
from triptych.ft_dojo.environment.training import Clock, Prompts, Rows, TrainingWorker
from triptych.ft_dojo.environment.training_worker import Loss, Size
from triptych.ft_dojo.tiny import Base
from triptych.ft_dojo.trainer import TrainRun, TrainSpec


class RememberingWorker(TrainingWorker):
    """A `TrainingWorker` with a memory in `folder` (default: the cache). Several processes may share one.

    A loss that left the finite is remembered too; what a clock ended is not. `looked_up` and `done` count jobs.
    """

    def __init__(self, base: Base, folder: Path | None = None) -> None:
        self._awake = False
        self._base_digest = base.sha256
        self.memory = folder or paths.cache() / "ft_dojo" / "remembered"
        self.looked_up = self.done = 0
        super().__init__(base.folder)

    def start(self) -> None:
        """Start the process, once something has to be done by it."""
        if self._awake:
            super().start()

    def ready(self) -> int:
        """Number of parameters of the base."""
        if self.parameters:
            if self._awake:
                super().start()
            return self.parameters
        found = self._recall("base", {})
        if found is None:
            self._awake = True
            found = self._keep("base", {}, super().ready())
        self.parameters = int(found)
        return self.parameters

    def training_size(self, rows: Rows, spec: TrainSpec) -> Size:
        """As `TrainingWorker.training_size`."""
        asked = {"rows": list(rows), "spec": spec.model_dump()}
        found = self._recall("training size", asked)
        if found is None:
            found = self._keep("training size", asked, self._new(super().training_size, rows, spec).model_dump())
        return Size.model_validate(found)

    def scoring_size(self, prompts: Prompts) -> Size:
        """As `TrainingWorker.scoring_size`."""
        asked = {"prompts": [(prompt, list(choices)) for prompt, choices in prompts]}
        found = self._recall("scoring size", asked)
        if found is None:
            found = self._keep("scoring size", asked, self._new(super().scoring_size, prompts).model_dump())
        return Size.model_validate(found)

    def train(
        self, rows: Rows, spec: TrainSpec, into: Path, clock: Clock, on_loss: Callable[[Loss], None] | None = None
    ) -> tuple[TrainRun, str]:
        """As `TrainingWorker.train`; a remembered training reports no losses on its way."""
        asked = {"rows": list(rows), "spec": spec.model_dump()}
        found = self._recall("training", asked)
        weights = self._path("training", asked).with_suffix(".safetensors")
        if found is not None and "nan" in found:
            self.measured = Measured()
            raise Refusal("nan", found["nan"], found["hint"])
        if found is not None and weights.exists():
            self.measured = Measured()
            shutil.rmtree(into, ignore_errors=True)
            into.mkdir(parents=True)
            shutil.copyfile(weights, into / checkpoints.WEIGHTS)
            return TrainRun.model_validate(found["run"]), checkpoints.verify(into, self.wanted, found["sha256"])
        try:
            run, digest = self._new(super().train, rows, spec, into, clock, on_loss)
        except Refusal as refusal:
            if refusal.code == "nan":
                self._keep("training", asked, {"nan": refusal.message, "hint": refusal.hint})
            raise
        _place(weights, (into / checkpoints.WEIGHTS).read_bytes())
        self._keep("training", asked, {"run": run.model_dump(), "sha256": digest})
        return run, digest

    def answer(self, prompts: Prompts, model: Path | None, clock: Clock) -> list[str]:
        """As `TrainingWorker.answer`; a model is known by its weights."""
        digest = hashlib.sha256((model / checkpoints.WEIGHTS).read_bytes()).hexdigest() if model else "base"
        asked = {"prompts": [(prompt, list(choices)) for prompt, choices in prompts], "model": digest}
        found = self._recall("answers", asked)
        if found is None:
            return self._keep("answers", asked, self._new(super().answer, prompts, model, clock))
        self.measured = Measured()
        return [str(answer) for answer in found]

    # --- the memory ---------------------------------------------------------------------------------------------------

    def _new(self, work: Callable[..., Any], *arguments: Any) -> Any:
        self._awake = True
        self.done += 1
        return work(*arguments)

    def _path(self, kind: str, asked: Any) -> Path:
        whole = json.dumps([kind, asked, self._base_digest, _code()], sort_keys=True, ensure_ascii=False)
        name = hashlib.sha256(whole.encode("utf-8", "surrogatepass")).hexdigest()
        return self.memory / name[:2] / f"{name}.json"

    def _recall(self, kind: str, asked: Any) -> Any:
        try:
            found = json.loads(self._path(kind, asked).read_text("utf-8"))
        except (OSError, ValueError):
            return None
        self.looked_up += 1
        return found

    def _keep(self, kind: str, asked: Any, value: Any) -> Any:
        _place(self._path(kind, asked), json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass"))
        return value


def _place(path: Path, content: bytes) -> None:
    """Write a file at once: whoever reads sees all of it or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, scratch = tempfile.mkstemp(dir=path.parent)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    Path(scratch).replace(path)


@cache
def _code() -> str:
    """Digest of what trains and answers, and of torch's version: with other code nothing is remembered."""
    from importlib.metadata import version

    files = [Path(module.__file__ or "") for module in (trainer, evaluate, training, training_worker, checkpoints)]
    parts = [path.read_bytes() for path in files]
    return hashlib.sha256(b"\0".join([*parts, version("torch").encode()])).hexdigest()[:16]
