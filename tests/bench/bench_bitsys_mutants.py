"""Faults made by rule in the RTL that the suite does not find and nobody has argued to be invisible."""

from __future__ import annotations

import subprocess
import sys

from triptych import paths

BAR = "bitsys-mutants-unargued"
STUDY = "bitsys"
KIND = "long"
UNIT = "surviving mutants"
TARGET = "== 0"
READS = ("rtl/**/*.sv", "tests/rtl/*")


def measure() -> float:
    """Survivors of `make mutate` (one generated fault in six), and arguments that no longer hold."""
    script = paths.root() / "tests" / "rtl" / "mutate.py"
    done = subprocess.run([sys.executable, str(script)], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode not in (0, 1) or not done.stdout:
        raise SystemExit(f"{script.name} did not end well")
    return float(sum(line.startswith(("survived:", "argued")) for line in done.stdout.splitlines()))
