"""The journal: one hash-chained JSON line for each action, and beside it what a clock said.

`journal.jsonl` holds only what follows from the task, the actions and their seeds: the same run gives the same bytes,
killed and resumed or not. Measured times, pids and dates are in `measured.jsonl`. Each line's `hash` covers the line
and the hash before it; `head.json` says how many lines were complete, so that lines cut off the end are missed too.
A chain without a secret does not stop somebody who may rewrite every file of a run; no action of an agent may.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from triptych.errors import BusyError, DataError

FIRST = "0" * 64  # the hash before the first line
JOURNAL, MEASURED, HEAD, LOCK = "journal.jsonl", "measured.jsonl", "head.json", "lock"


class Journal:
    """A journal that is open for writing; nobody else can open it until it is closed."""

    def __init__(self, folder: Path, header: Mapping[str, Any]) -> None:
        """Open or begin the journal of `folder`.

        A line that a crash cut short is removed; everything before it is kept. Raises BusyError when another process
        has it open, DataError when its lines were tampered with or its header is not `header` (it is stale: made for
        another task, other limits or other code); the files are then left as they are.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._lock: TextIO = (folder / LOCK).open("a")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._lock.close()
            raise BusyError(
                f"another run has the journal {folder} open", "wait for it, or use a folder of its own"
            ) from error
        try:
            self.rows, self._bytes = self._resume()
            if not self.rows:
                self._append({"header": dict(header)})
            elif self.rows[0].get("header") != (wanted := json.loads(canonical(dict(header)))):
                raise DataError(
                    f"the journal {folder} is stale: {_difference(self.rows[0].get('header'), wanted)}",
                    "finish it with what it was begun with, or begin in a new folder",
                )
        except BaseException:
            self.close()
            raise

    @property
    def entries(self) -> list[dict[str, Any]]:
        """The lines of actions, oldest first."""
        return self.rows[1:]

    def append(self, entry: Mapping[str, Any]) -> None:
        """Add one line, on disk when this returns. Raises DataError when the file is not as this journal left it."""
        self.check()
        self._append(dict(entry))

    def check(self) -> None:
        """Raises DataError when the file was changed by anybody else since it was opened."""
        path = self.folder / JOURNAL
        now = path.read_bytes() if path.exists() else b""
        if now != bytes(self._bytes):
            raise DataError(f"the journal {path} was changed while it was open", "keep it as evidence; begin a new run")

    def measure(self, entry: Mapping[str, Any]) -> None:
        """Add one line to what was measured; not part of the chain."""
        with (self.folder / MEASURED).open("a", encoding="utf-8") as file:
            file.write(canonical(dict(entry)) + "\n")

    def measured(self) -> list[dict[str, Any]]:
        """What was measured so far, incomplete lines left out."""
        path = self.folder / MEASURED
        lines = path.read_text("utf-8").splitlines(keepends=True) if path.exists() else []
        return [json.loads(line) for line in lines if line.endswith("\n")]

    def close(self) -> None:
        """Let others open it."""
        self._lock.close()

    def _append(self, body: dict[str, Any]) -> None:
        body = json.loads(canonical(body))  # what is kept in memory is what a reader of the file will see
        previous = self.rows[-1]["hash"] if self.rows else FIRST
        row = {**body, "sequence": len(self.rows), "hash": chained(previous, {**body, "sequence": len(self.rows)})}
        line = (canonical(row) + "\n").encode()
        with (self.folder / JOURNAL).open("ab") as file:
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
        self.rows.append(row)
        self._bytes += line
        partial = self.folder / f".{HEAD}"
        partial.write_text(canonical({"rows": len(self.rows), "hash": row["hash"]}), "utf-8")
        partial.replace(self.folder / HEAD)

    def _resume(self) -> tuple[list[dict[str, Any]], bytearray]:
        path = self.folder / JOURNAL
        raw = path.read_bytes() if path.exists() else b""
        whole = raw[: raw.rfind(b"\n") + 1]
        rows = verified(whole, path)
        head = self.folder / HEAD
        if head.exists() and len(rows) < json.loads(head.read_text("utf-8"))["rows"]:
            raise DataError(f"the journal {path} lost lines at its end", "keep it as evidence; begin a new run")
        if len(whole) < len(raw):  # the one line that a crash may leave unfinished
            with path.open("r+b") as file:
                file.truncate(len(whole))
        return rows, bytearray(whole)


def read(folder: Path) -> list[dict[str, Any]]:
    """The verified lines of a journal, its header first, without opening it for writing."""
    path = folder / JOURNAL
    raw = path.read_bytes()
    return verified(raw[: raw.rfind(b"\n") + 1], path)


def verified(raw: bytes, path: Path) -> list[dict[str, Any]]:
    """The lines of a chain. Raises DataError that names the first line that does not follow from the one before."""
    rows: list[dict[str, Any]] = []
    previous = FIRST
    for number, line in enumerate(raw.splitlines()):
        try:
            row: Any = json.loads(line)
            body = {name: value for name, value in row.items() if name != "hash"}
            good = row["sequence"] == number and row["hash"] == chained(previous, body)
            good = good and canonical(row).encode() == line  # one spelling only: not a byte may differ
        except (ValueError, KeyError, AttributeError, TypeError, RecursionError):
            good, row = False, None
        if not good:
            raise DataError(f"line {number + 1} of {path} was tampered with", "keep it as evidence; begin a new run")
        rows.append(row)
        previous = row["hash"]
    return rows


def chained(previous: str, body: Mapping[str, Any]) -> str:
    """sha256 (hex) of a line without its hash, and of the hash before it."""
    return hashlib.sha256(f"{previous}\n{canonical(body)}".encode()).hexdigest()


def canonical(value: Any) -> str:
    """One spelling for one JSON value: sorted keys, no spaces, ASCII, no NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _difference(old: Any, new: Any) -> str:
    if not isinstance(old, dict) or not isinstance(new, dict):
        return "it has no header"
    names = sorted(name for name in {*old, *new} if old.get(name) != new.get(name))
    return f"it was begun with another {', '.join(names)}"
