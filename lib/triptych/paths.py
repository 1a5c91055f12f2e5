"""Every directory of the project, once.

Three environment variables move what is made, and nothing else does:
`TRIPTYCH_ROOT` (the checkout), `TRIPTYCH_BUILD` (all that is made, default ROOT/build) and `TRIPTYCH_CACHE` (verified
downloads, compiled simulators and other things that are keyed by content, default ROOT/build/cache). The tests give
every run a build directory of its own and share the cache.
"""

from __future__ import annotations

import os
from pathlib import Path


def root() -> Path:
    """The checkout: the directory that holds notebooks/, lib/, rtl/ and tests/."""
    return Path(os.environ.get("TRIPTYCH_ROOT") or Path(__file__).resolve().parents[2])


def build() -> Path:
    """Everything made; safe to delete."""
    return Path(os.environ.get("TRIPTYCH_BUILD") or root() / "build")


def cache() -> Path:
    """Things keyed by content that cost time to make or fetch again; shared by all profiles."""
    return Path(os.environ.get("TRIPTYCH_CACHE") or root() / "build" / "cache")


def notebooks() -> Path:
    """The notebooks, one folder a study, and stages.toml."""
    return root() / "notebooks"


def rtl() -> Path:
    """Hand-written SystemVerilog."""
    return root() / "rtl"


def figures(profile: str) -> Path:
    """Published figures of one profile, with captions and number tables."""
    return build() / "figures" / profile


def results(profile: str) -> Path:
    """Published results of one profile, one folder a stage."""
    return build() / "results" / profile


def runs(profile: str) -> Path:
    """Executed notebooks and records of one profile."""
    return build() / "runs" / profile


def keys(profile: str) -> Path:
    """Content keys that make compares with what is published."""
    return build() / "keys" / profile


def report() -> Path:
    """The HTML report."""
    return build() / "report"
