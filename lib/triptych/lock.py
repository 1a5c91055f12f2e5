"""Rebuild the locks and environment.yml: `make lock`, or `python -m triptych.lock [--upgrade]`.

- requirements.lock: requirements.in resolved for Python 3.11 on Linux with requirements-overrides.txt, which leaves out
  what only a GPU needs.
- requirements-cuda.lock: the same with requirements-cuda-overrides.txt, for a CUDA build of torch; every package that
  both locks name has the same version in both.
- environment.yml: interpreter and native tools for conda, from native.toml.

Pins stay where they are unless a requirement forces them; `--upgrade` moves them all.

The locks carry no file hashes. pip checks either all files of a run or none, and the CPU wheel of torch that some
indexes serve as `2.13.0+cpu` is another file than the `2.13.0` that uv sees, so a hashed lock could only be installed
from one index. What is trusted blindly elsewhere, data and weights, is pinned by sha256 in data.toml.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path

from triptych import paths
from triptych.errors import TriptychError

PYTHON = "3.11"
PLATFORM = "x86_64-manylinux_2_28"  # the oldest C library that torch's own wheels allow


@dataclass(frozen=True)
class Lock:
    """One lock: its file, what it is made of, and the lock whose pins it must share."""

    file: str
    source: str
    overrides: str
    shares: str | None = None

    def digest(self, root: Path) -> str:
        """sha256 over what the lock is made of, so that a stale lock shows without a network."""
        both = (root / self.source).read_bytes() + b"\0" + (root / self.overrides).read_bytes()
        return hashlib.sha256(both).hexdigest()

    def header(self, root: Path) -> str:
        """The first lines of the lock."""
        return (
            f"# sha256 of {self.source} and {self.overrides}: {self.digest(root)}\n"
            f"# Made by `make lock` for Python {PYTHON}, {PLATFORM}; change {self.source} and run that again.\n"
            f"# Install with `make setup` (pip install --no-deps): the set is closed, nothing is left to resolve.\n"
        )


CPU = Lock("requirements.lock", "requirements.in", "requirements-overrides.txt")
CUDA = Lock("requirements-cuda.lock", "requirements.in", "requirements-cuda-overrides.txt", shares=CPU.file)
LOCKS = (CPU, CUDA)


def build(lock: Lock, root: Path, upgrade: bool = False) -> str:
    """Resolve one lock with uv and return its text. Raises TriptychError with uv's own explanation."""
    import uv

    with tempfile.TemporaryDirectory() as scratch:
        output = Path(scratch) / lock.file
        if (root / lock.file).exists():
            output.write_bytes((root / lock.file).read_bytes())  # uv keeps the pins that it finds here
        command = [uv.find_uv_bin(), "pip", "compile", "--quiet", "--no-header", "--annotation-style", "line"]
        command += ["--python-version", PYTHON, "--python-platform", PLATFORM, "--override", lock.overrides]
        command += ["--constraint", lock.shares] if lock.shares else []
        command += ["--upgrade"] if upgrade else []
        done = subprocess.run(
            [*command, "--output-file", str(output), lock.source], cwd=root, capture_output=True, text=True
        )
        if done.returncode:
            raise TriptychError(
                f"{lock.source} has no solution with {lock.overrides}:\n{done.stderr.strip()}",
                "loosen a pin, or check that a package index can be reached; the old lock is untouched",
            )
        text = output.read_text("utf-8")
    if lock.shares:
        text = text.replace(f", -c {lock.shares}", "").replace(f"-c {lock.shares}, ", "")
    return lock.header(root) + text


def environment(root: Path) -> str:
    """Text of environment.yml: the conda packages of native.toml."""
    tools = tomllib.loads((root / "lib" / "triptych" / "native.toml").read_text("utf-8"))
    rows = [(row["conda"], row["for"]) for row in tools.values() if "conda" in row]
    width = max(len(package) for package, _ in rows)
    lines = [f"  - {package:<{width}}  # {use}" for package, use in [*rows, ("pip", "installing the lock")]]
    return "\n".join(
        [
            "# For conda users: interpreter and native tools. Made by `make lock` from lib/triptych/native.toml.",
            "#   conda env create -f environment.yml && conda activate triptych && make setup",
            "# The Python packages are not listed here: `make setup` installs requirements.lock into this environment.",
            "name: triptych",
            "channels: [conda-forge, nodefaults]",
            "dependencies:",
            *lines,
            "",
        ]
    )


def main(arguments: list[str] | None = None) -> int:
    """Rebuild all three files; each is replaced only when it resolved."""
    parser = argparse.ArgumentParser(prog="python -m triptych.lock", description="Rebuild the locks.")
    parser.add_argument("--upgrade", action="store_true", help="move every pin to the newest allowed version")
    upgrade: bool = parser.parse_args(arguments).upgrade
    root = paths.root()
    try:
        for lock in LOCKS:
            _replace(root / lock.file, build(lock, root, upgrade))
        _replace(root / "environment.yml", environment(root))
    except TriptychError as error:
        print(f"triptych: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def _replace(path: Path, text: str) -> None:
    same = path.exists() and path.read_text("utf-8") == text
    print(f"{path.name}: {'unchanged' if same else 'written'}")
    if not same:
        partial = path.with_name(f"{path.name}.partial")
        partial.write_text(text, "utf-8")
        partial.replace(path)


if __name__ == "__main__":
    sys.exit(main())
