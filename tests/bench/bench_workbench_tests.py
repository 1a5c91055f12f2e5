"""`make test` after install: the whole suite."""

from __future__ import annotations

import scratch

BAR = "workbench-test-minutes"
STUDY = "workbench"
KIND = "long"
UNIT = "min, whole suite"
TARGET = "<= 15"
READS = ("lib/**/*", "rtl/**/*", "notebooks/**/*", "tests/**/*", "Makefile", "requirements*", "pyproject.toml")


def measure() -> float:
    """Minutes; an error when a test fails."""
    return scratch.minutes_of(["make", "test"])
