"""Native tools that pip cannot bring: which are missing, and how this machine gets them. Standard library only.

native.toml beside this module names each tool once.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from triptych.errors import ToolMissing

APT = ["apt-get", "-qq", "-o", "Acquire::http::Timeout=30", "-o", "DPkg::Lock::Timeout=120"]

PYTHON_HINT = (
    "Debian, Ubuntu: apt-get install python3.11 python3.11-venv; elsewhere: "
    "conda env create -f environment.yml && conda activate triptych; then: make setup"
)


@dataclass(frozen=True)
class Tool:
    """One row of native.toml; the comment at its top explains the fields."""

    name: str
    probe: str
    apt: tuple[str, ...]
    conda: str | None
    required: bool
    automatic: bool
    use: str
    without: str

    def present(self, python: str = "python3.11") -> bool:
        """Whether the tool is on this machine; `python` is what the probe sees as $PYTHON."""
        command = ["sh", "-c", self.probe]
        try:
            done = subprocess.run(
                command, env={**os.environ, "PYTHON": python}, capture_output=True, stdin=subprocess.DEVNULL, timeout=20
            )
        except subprocess.TimeoutExpired:
            return False
        return done.returncode == 0


def tools() -> list[Tool]:
    """All tools, in the order of native.toml."""
    table = tomllib.loads(Path(__file__).with_name("native.toml").read_text("utf-8"))
    return [
        Tool(
            name=name,
            probe=row["probe"],
            apt=tuple(row["apt"]),
            conda=row.get("conda"),
            required=row["required"],
            automatic=row.get("automatic", True),
            use=row["for"],
            without=row["without"],
        )
        for name, row in table.items()
    ]


def has_apt() -> bool:
    """Whether this is Debian, Ubuntu or another system that installs with apt-get."""
    return shutil.which("apt-get") is not None


def command(wanted: Sequence[Tool]) -> str:
    """What brings the tools to this machine, for a person to run: one command, or whom to ask."""
    in_conda = os.environ.get("CONDA_DEFAULT_ENV") == "triptych" and all(tool.conda for tool in wanted)
    if has_apt() and (os.geteuid() == 0 or not in_conda):
        packages = [package for tool in wanted for package in tool.apt]
        sudo = "" if os.geteuid() == 0 else "sudo "
        return f"{sudo}apt-get install -y --no-install-recommends {shlex.join(packages)}"
    if in_conda:
        return "conda env update -f environment.yml"
    if all(tool.conda for tool in wanted):
        return "conda env create -f environment.yml && conda activate triptych"
    return f"the system's package manager, for {', '.join(tool.name for tool in wanted)}"


def ensure(python: str) -> None:
    """Bring what is missing, or say how. Raises ToolMissing when a required tool stays absent.

    As root on a system with apt-get the missing packages are installed, after saying so. Everywhere else nothing is
    changed and one command is printed. An optional tool never stops anything.
    """
    missing = [tool for tool in tools() if tool.automatic and not tool.present(python)]
    if not missing:
        return
    if has_apt() and os.geteuid() == 0:
        print(
            f"native packages: installing {', '.join(p for tool in missing for p in tool.apt)} with apt-get", flush=True
        )
        _apt("update")
        # The required ones together: they stand or fall as one. The optional ones alone: each may fail.
        _install([tool for tool in missing if tool.required])
        for tool in missing:
            if not tool.required:
                _install([tool])
        missing = [tool for tool in missing if not tool.present(python)]
    for tool in missing:
        if not tool.required:
            print(f"native packages: {tool.name} is absent (optional): {tool.without}")
    if missing:
        print(f"native packages: {command(missing)}", flush=True)
    if required := [tool for tool in missing if tool.required]:
        raise ToolMissing(
            f"missing: {', '.join(f'{tool.name} ({tool.use})' for tool in required)}",
            f"{command(required)}, then: make setup",
        )


def _install(wanted: list[Tool]) -> None:
    if wanted:
        _apt("install", "-y", "--no-install-recommends", *(package for tool in wanted for package in tool.apt))


def _apt(*arguments: str) -> None:
    """Run apt-get. What it could not do is said here and judged by the probes afterwards."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run([*APT, *arguments], env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        print(f"native packages: apt-get {arguments[0]} failed: {lines[-1] if lines else done.returncode}", flush=True)
