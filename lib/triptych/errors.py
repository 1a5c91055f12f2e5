"""One family of errors that a user can read: what went wrong, and the way out."""

from __future__ import annotations

import errno


class TriptychError(Exception):
    """A failure that the user can do something about.

    `message` says what went wrong, `hint` the way out (a command where there is one). `exit_code` is what
    `python -m triptych` ends with, so that a script can tell the kinds apart.
    """

    exit_code = 1

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n  → {self.hint}" if self.hint else self.message

    def _render_traceback_(self) -> list[str]:  # IPython asks for this: a reader of a notebook needs no stack
        return [f"{type(self).__name__}: {self}"]


class ParameterError(TriptychError):
    """A parameter, profile, study or stage that does not exist, or a value of the wrong type."""

    exit_code = 2


class StageError(TriptychError):
    """A stage failed while it ran, or broke its declaration in stages.toml."""

    exit_code = 3


class InputMissing(TriptychError):
    """A stage needs a result that no run has published yet."""

    exit_code = 4


class DataError(TriptychError):
    """Data or weights are missing, cannot be fetched, or are not the bytes that were pinned."""

    exit_code = 5


class ToolMissing(TriptychError):
    """A compiler, simulator or other native tool is not on this machine, or is too old."""

    exit_code = 6


class BusyError(TriptychError):
    """Somebody else holds the lock of the thing that we would have changed."""

    exit_code = 7


class LimitError(TriptychError):
    """A limit of time, memory or disk was reached."""

    exit_code = 8


class ModelError(TriptychError):
    """A language model could not be asked, or answered what cannot be used."""

    exit_code = 9


def is_disk_full(error: BaseException) -> bool:
    """Whether an error means that there is no space (or no quota) left."""
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


def readable(error: OSError) -> TriptychError:
    """An error of the operating system in words: a full disk, or a path that cannot be read or written."""
    if is_disk_full(error):
        return LimitError(
            "the disk is full; what was published before is untouched",
            "free some space (make clean removes what make can make again) and run the same command",
        )
    return LimitError(f"{error.strerror or error}: {error.filename or 'a file'}", "check the path and its permissions")
