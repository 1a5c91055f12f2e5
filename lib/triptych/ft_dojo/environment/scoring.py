"""The orchestrator's side of the scorer: hand in answers, get a score. It never opens the gold itself."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import triptych
from triptych.errors import ModelError
from triptych.ft_dojo.environment import scorer, slots
from triptych.ft_dojo.environment.contamination import Hidden
from triptych.ft_dojo.environment.scorer import Result, Submission
from triptych.ft_dojo.environment.task_folder import TaskFolder
from triptych.ft_dojo.environment.weakness import Weakness

PATIENCE = 60.0  # seconds for the process to start and to answer on a busy machine


class ScoringClient:
    """A scorer's process for one run, started at its first question. A context manager."""

    def __init__(self, task: TaskFolder, submissions: Path, weak: frozenset[Weakness] = frozenset()) -> None:
        submissions.mkdir(parents=True, exist_ok=True)
        self.task, self.submissions, self.weak = task, submissions, weak
        self._process: subprocess.Popen[bytes] | None = None
        self._line: socket.socket | None = None

    def score(self, split: Literal["val", "select", "test"], answers: Sequence[str]) -> Result:
        """Hand in answers to the first items of a split. Raises ModelError when the scorer is gone."""
        submission = Submission(split=split, answers=list(answers))
        path = self.submissions / f"{submission.id}.json"
        partial = path.with_suffix(".partial")
        partial.write_bytes(submission.raw())
        partial.replace(path)
        return self.ask(submission.id)

    def ask(self, line: str) -> Result:
        """Send one line, which ought to be a submission's id."""
        self._start()
        assert self._line is not None
        try:
            self._line.sendall(line.encode() + b"\n")
            return Result.model_validate_json(self._read())
        except OSError as error:
            self.close()
            raise ModelError(f"the scorer does not answer: {error}", "resume the run") from error

    def close(self) -> None:
        """End the process."""
        if self._line is not None:
            self._line.close()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._line = self._process = None

    def _start(self) -> None:
        if self._process is not None and self._process.poll() is None:
            return
        self.close()
        ours, theirs = socket.socketpair()
        ours.settimeout(PATIENCE)
        gold = self.task.hidden / "gold"
        if os.geteuid() == 0:
            for path in (gold, *gold.iterdir()):
                os.chown(path, scorer.SCORER_UID, scorer.SCORER_UID)
        library = str(Path(triptych.__file__).parent.parent)
        weak = ",".join(sorted(self.weak))
        self._process = subprocess.Popen(
            [sys.executable, "-m", scorer.__name__, str(theirs.fileno()), str(gold), str(self.submissions),
             self.task.card.metric, json.dumps(self.task.card.commitment), weak],
            env={"PYTHONPATH": library, "PATH": os.environ.get("PATH", "")}, stdin=subprocess.DEVNULL,
            pass_fds=(theirs.fileno(),), start_new_session=True,
        )  # fmt: skip
        theirs.close()
        self._line = ours
        if self._read() != b"ready":
            self.close()
            raise ModelError("the scorer did not start", "python -m triptych doctor")

    def _read(self) -> bytes:
        assert self._line is not None
        got = b""
        while not got.endswith(b"\n"):
            piece = self._line.recv(1 << 16)
            if not piece:
                raise ModelError("the scorer ended", "python -m triptych doctor")
            got += piece
        return got.rstrip(b"\n")


def hidden_items(task: TaskFolder) -> list[Hidden]:
    """The hidden items' prompts and slots, without their answers, for the contamination checker."""
    read = slots.reader(task.card.id)
    return [
        Hidden(prompt.id, split, prompt.prompt, read(prompt.prompt) if read else frozenset())
        for split in task.card.sizes
        for prompt in task.prompts(split)
    ]
