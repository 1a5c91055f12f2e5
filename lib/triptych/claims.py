"""Who is making what: locks that die with their holder and say who holds them."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import psutil

from triptych.errors import BusyError


@contextmanager
def hold(path: Path, what: str) -> Generator[None]:
    """Hold an exclusive lock for the block, or raise BusyError that says who holds it. Dies with the process."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            raise BusyError(
                f"{what} is being made by another process in this checkout: {file.read().strip() or 'just started'}",
                "wait until it has finished, or stop it, and try again",
            ) from None
        file.truncate(0)
        file.write(f"process {os.getpid()}, since {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC")
        file.flush()
        yield


def claim_for_make(path: Path) -> None:
    """Let one `make` at a time run stages in a folder, all of them or none.

    The lock of a single stage would let a second make take stages away from the first, which then fails half-way. The
    claim names the make process; it is void as soon as that process is gone. Raises BusyError that says who holds it.
    """
    if not (ours := os.environ.get("TRIPTYCH_MAKE")):
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        process, started = _holder(file.read())
        if process not in (0, int(ours)) and _started(process) == started:
            since = datetime.fromtimestamp(started, UTC)
            raise BusyError(
                f"another make, process {process}, is making figures here since {since:%Y-%m-%d %H:%M:%S} UTC",
                "wait until it has finished, or stop it, and try again",
            )
        file.truncate(0)
        file.write(json.dumps({"process": int(ours), "started": _started(int(ours))}))


def _holder(text: str) -> tuple[int, float]:
    """Process and start time of a claim; zeros for one that was never written to its end."""
    try:
        found = json.loads(text)
        return int(found["process"]), float(found["started"])
    except (ValueError, KeyError, TypeError):
        return 0, 0.0


def _started(process: int) -> float | None:
    try:
        return psutil.Process(process).create_time()
    except psutil.Error:
        return None
