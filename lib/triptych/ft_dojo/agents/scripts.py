"""Data scripts put together from cleaning steps: `data_tools`, and a few lines that use it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from triptych.ft_dojo.agents import data_tools

STEPS = tuple(data_tools.STEPS)


@cache
def tools() -> str:
    """The source of `data_tools`, as it goes into the sandbox."""
    return Path(data_tools.__file__).read_text("utf-8")


def cleaning(steps: Sequence[str], expected: Sequence[str], most: int) -> str:
    """A script that cleans with these steps, in the order of `STEPS`, and prints what each one changed."""
    chosen = [name for name in STEPS if name in steps]
    return f"""{tools()}

EXPECTED[:] = {json.dumps(list(expected), ensure_ascii=False)}
rows, changed = clean(load(), {json.dumps(chosen)})
write(rows, {most})
print(json.dumps(changed))
"""


def raw(most: int) -> str:
    """A script that takes every usable row as it stands."""
    return f"{tools()}\n\nwrite(load(), {most})\n"


def profile(expected: Sequence[str], most: int) -> str:
    """`raw`, and what every cleaning step would change if all of them were taken in order."""
    return f"""{tools()}

EXPECTED[:] = {json.dumps(list(expected), ensure_ascii=False)}
rows = load()
write(rows, {most})
kept, changed = clean(rows, list(STEPS))
print(json.dumps({{"rows": len(rows), "kept": len(kept), "changed": changed}}))
"""
