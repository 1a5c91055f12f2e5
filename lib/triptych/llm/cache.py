"""Answers remembered in an append-only file, so that no question is paid for twice and a run can be replayed."""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import os
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import JsonValue, ValidationError

from triptych.errors import DataError, ModelError
from triptych.llm.messages import Answer, Client, Message

log = logging.getLogger(__name__)


def key(model: str, messages: Sequence[Message], parameters: Mapping[str, JsonValue]) -> str:
    """sha256 (hex) of everything that decides an answer."""
    question = [model, [message.model_dump() for message in messages], dict(parameters)]
    return hashlib.sha256(json.dumps(question, sort_keys=True).encode()).hexdigest()


class Cached:
    """Remembers every answer in an append-only JSONL file, one line a question, and never asks twice.

    Several processes may share the file; a line cut off by a kill is passed over and asked again. With `live=False` no
    model is asked: an unrecorded question raises ModelError with the command `remake`. Files in `recorded` are read,
    never written.
    """

    def __init__(
        self, client: Client, path: Path, *, remake: str, live: bool = True, recorded: Sequence[Path] = ()
    ) -> None:
        self.client, self.path, self.remake, self.live = client, path, remake, live
        self.model, self.defaults = client.model, client.defaults
        self._known: dict[str, Answer] = {}
        self._read: dict[Path, int] = {}  # bytes of each file that are in _known
        self._lock = threading.Lock()
        for file in recorded:
            self._update(file)

    def ask(self, messages: Sequence[Message], **parameters: JsonValue) -> Answer:
        parameters = {**self.defaults, **parameters}
        wanted = key(self.model, messages, parameters)
        with self._lock:
            if wanted not in self._known:
                self._update(self.path)
            if wanted in self._known:
                return self._known[wanted].model_copy(update={"replayed": True})
        if not self.live:
            about = messages[-1].content[:60] if messages else ""
            raise ModelError(f"no recorded answer of {self.model} to {about!r}… ({wanted[:12]})", self.remake)
        answer = self.client.ask(messages, **parameters)
        with self._lock:
            first = self._append(wanted, messages, parameters, answer)
        return answer.model_copy(update={"text": first.text, "finish": first.finish})

    def _append(
        self, wanted: str, messages: Sequence[Message], parameters: Mapping[str, JsonValue], answer: Answer
    ) -> Answer:
        """Write an answer down and give the one that counts: another process may have been faster."""
        row = {
            "key": wanted,
            "model": self.model,
            "messages": [message.model_dump() for message in messages],
            "parameters": dict(parameters),
            "answer": answer.model_dump(exclude={"replayed"}),
        }
        line = (json.dumps(row, sort_keys=True) + "\n").encode()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            self._update(self.path)
            if wanted not in self._known:
                end = file.seek(0, os.SEEK_END)
                if end:
                    file.seek(end - 1)
                    if file.read(1) != b"\n":  # the last writer was killed in the middle of a line
                        line = b"\n" + line
                file.write(line)
                self._known[wanted] = answer
        return self._known[wanted]

    def _update(self, file: Path) -> None:
        """Take in the whole lines added to a file since it was last read; the first answer to a question stays."""
        if not file.exists():
            return
        with file.open("rb") as stream:
            stream.seek(self._read.get(file, 0))
            for line in stream:
                if not self._take(line, file) and not line.endswith(b"\n"):
                    break  # being written right now, or cut off: perhaps there is more of it next time
                self._read[file] = self._read.get(file, 0) + len(line)

    def _take(self, line: bytes, file: Path) -> bool:
        """Remember the answer on a line; False when the line is only the beginning of one."""
        try:
            row = json.loads(line)
        except ValueError:
            if line.endswith(b"\n") and line.strip():
                log.warning("%s: passed over a line that was cut off", file.name)
            return False
        try:
            messages = [Message(**message) for message in row["messages"]]
            answer = Answer(**row["answer"])
            edited = row["key"] != key(row["model"], messages, row["parameters"])
        except (KeyError, TypeError, ValidationError) as error:
            raise DataError(
                f"{file.name} holds a line that is no recorded answer: {line[:80]!r}", self.remake
            ) from error
        if edited:
            raise DataError(f"{file.name} was edited: {row['key'][:12]} is the key of another question", self.remake)
        self._known.setdefault(row["key"], answer)
        return True
