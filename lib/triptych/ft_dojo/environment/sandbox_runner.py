"""Inside the sandbox: limits, then the agent's script in a child, then its output to the orchestrator.

Called as `python sandbox_runner.py SETTINGS` with SETTINGS as JSON. The output file is read here, inside, so a link in
its place leads nowhere but inside. Standard library only; of the project, only this file and `sandbox_guard` beside it
are in the sandbox.
"""

from __future__ import annotations

import errno
import importlib.util
import json
import os
import resource
import stat
import sys
import types
from pathlib import Path
from typing import Any

RESULT = 3  # the file descriptor that the orchestrator reads
NOTES = 4  # and the one on which it hears what the script reached for


def main() -> None:
    settings: dict[str, Any] = json.loads(sys.argv[1])
    home = settings["home"]
    os.chdir(home)
    Path("out").mkdir(exist_ok=True)
    for kind, value in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_CPU, settings["cpu"]),
        (resource.RLIMIT_NOFILE, 256),
        (resource.RLIMIT_FSIZE, settings["disk"]),
        (resource.RLIMIT_NPROC, settings["processes"]),
        (resource.RLIMIT_AS, settings["memory"]),
    ):
        if value is not None:
            resource.setrlimit(kind, (value, value))
    sys.path[:0] = settings["packages"]
    child = os.fork()
    if child == 0:
        os.close(RESULT)
        code = Path("script.py").read_text("utf-8")
        sys.argv = ["script.py"]
        guarded(settings)
        # A module of its own, under the name that pickle and multiprocessing look up; nothing of this one is in it.
        module = types.ModuleType("__main__")
        module.__dict__["__file__"] = "script.py"
        sys.modules["__main__"] = module
        exec(compile(code, "script.py", "exec"), module.__dict__)
        return
    os.close(NOTES)
    _, status = os.waitpid(child, 0)
    content, problem = output(settings["result"], settings["disk"])
    head = {"status": os.waitstatus_to_exitcode(status), "problem": problem, "full": full(home), "bytes": len(content)}
    with os.fdopen(RESULT, "wb") as file:
        file.write(json.dumps(head).encode() + b"\n" + content)


def guarded(settings: dict[str, Any]) -> None:
    """Filter and watch this process from here on, as far as the settings say."""
    spec = importlib.util.spec_from_file_location("guard", Path(__file__).with_name("sandbox_guard.py"))
    assert spec and spec.loader
    guard = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(guard)
    if settings["filter"]:
        guard.filter_calls()
    if settings["witness"]:
        guard.witness(NOTES, settings["home"], settings["roots"], settings["processes"])


def output(path: str, most: int) -> tuple[bytes, str]:
    """Content of the output file and "", or nothing and what is wrong with it."""
    try:
        # Without NONBLOCK a pipe in its place would hold us for ever.
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        return b"", "missing" if error.errno == errno.ENOENT else "no plain file"
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        return b"", "no plain file"
    with os.fdopen(handle, "rb") as file:
        content = file.read(most + 1)
    return (b"", "too large") if len(content) > most else (content, "")


def full(home: str) -> bool:
    """Whether the script used up its disk."""
    space = os.statvfs(home)
    return space.f_bavail * space.f_frsize < 65536


if __name__ == "__main__":
    main()
