"""`make test STUDY=workbench` after install: the part of the workbench itself."""

from __future__ import annotations

import scratch

BAR = "workbench-own-test-minutes"
STUDY = "workbench"
KIND = "long"
UNIT = "min, tests of the workbench"
TARGET = "<= 4"
READS = ("lib/**/*", "rtl/**/*", "notebooks/**/*", "tests/**/*", "Makefile", "requirements*", "pyproject.toml")


def measure() -> float:
    """Minutes; an error when a test fails."""
    return scratch.minutes_of(["make", "test", "STUDY=workbench"])
