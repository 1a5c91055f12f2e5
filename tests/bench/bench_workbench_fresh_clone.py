"""From a fresh copy of the checkout, with no environment and nothing cached, to all figures of `quick`."""

from __future__ import annotations

import sys
import time

import scratch

BAR = "workbench-fresh-clone"
STUDY = "workbench"
KIND = "long"
UNIT = "min, install and downloads included"
TARGET = "<= 15"
READS = (
    "lib/**/*",
    "rtl/**/*",
    "notebooks/**/*.ipynb",
    "notebooks/stages.toml",
    "Makefile",
    "requirements*",
    "environment.yml",
    "pyproject.toml",
)


def measure() -> float:
    """Minutes of `make figures`."""
    with scratch.copy(environment=False) as root:
        start = time.perf_counter()
        done = scratch.make(root, "figures")
        minutes = (time.perf_counter() - start) / 60
        print(done.stdout[-6000:], file=sys.stderr)
        if done.returncode:
            raise RuntimeError(done.stderr[-4000:])
        if scratch.make(root, "-q", "figures").returncode:
            raise RuntimeError("make -q figures found something to do after make figures")
        return minutes
