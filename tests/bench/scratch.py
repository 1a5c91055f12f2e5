"""A throw-away copy of the checkout for bars that change files or start from nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from triptych import paths

sys.path.insert(0, str(paths.root() / "tests"))
import miniature


@contextmanager
def copy(*, environment: bool) -> Iterator[Path]:
    """What git would hand to somebody else, uncommitted changes included; with our environment linked in, or none."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=paths.root(), capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="triptych-") as folder:
        root = Path(folder) / "triptych"
        for name in listed:
            if (paths.root() / name).is_file():
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(paths.root() / name, root / name)
        if environment:
            (root / ".venv").symlink_to(Path(sys.prefix))
        yield root


def make(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """make in a scratch copy, as a user would call it.

    Where our own environment is linked in, set-up is only checked, never run: it would bind the environment to the
    copy.
    """
    linked = ["SETUP="] if (root / ".venv").is_symlink() else []
    return subprocess.run(
        ["make", *linked, *arguments], cwd=root, env=miniature.outside_make(), capture_output=True, text=True
    )


def minutes_of(command: list[str]) -> float:
    """Wall minutes of a command in the checkout itself; an error when it fails, with the end of what it said."""
    start = time.perf_counter()
    done = subprocess.run(command, cwd=paths.root(), stdout=subprocess.PIPE, text=True)
    minutes = (time.perf_counter() - start) / 60
    print(done.stdout[-2000:], file=sys.stderr)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed")
    return minutes


def mark_fresh(root: Path, profile: str = "quick") -> None:
    """Pretend that every stage was made from what is in the copy, without running any."""
    code = (
        "import json, sys\nfrom triptych import keys, stages\n"
        "for spec in stages.load().values():\n"
        "    for path in keys.published(spec, sys.argv[1]):\n"
        "        path.parent.mkdir(parents=True, exist_ok=True); path.write_text('made')\n"
        "    parts = keys.parts(spec, sys.argv[1])\n"
        "    keys.record_file(spec, sys.argv[1]).write_text(json.dumps({'key': keys.digest(parts), 'parts': parts}))\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(root / "lib"), "TRIPTYCH_ROOT": str(root)}
    subprocess.run([sys.executable, "-c", code, profile], env=environment, check=True)


def would_run(root: Path) -> set[str]:
    """The stages that `make -n figures` names."""
    done = make(root, "-n", "figures")
    if done.returncode:
        raise RuntimeError(done.stderr)
    return {line.split("triptych run ")[1].split()[0] for line in done.stdout.splitlines() if "triptych run" in line}
