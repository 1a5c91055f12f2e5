"""Seeded fine-tuning tasks: `make("finance", seed=0)` gives a Task whose splits share neither items nor templates."""

from __future__ import annotations

from collections.abc import Mapping

from triptych.errors import ParameterError
from triptych.ft_dojo.tasks import finance
from triptych.ft_dojo.tasks.base import LABELS, SPLITS, Item, Task

__all__ = ["LABELS", "SPLITS", "Item", "Task", "make", "names"]

_GENERATORS = {"finance": finance.generate}


def names() -> list[str]:
    """The tasks that can be made."""
    return sorted(_GENERATORS)


def make(
    name: str, seed: int, sizes: Mapping[str, int] | None = None, defects: Mapping[str, float] | None = None
) -> Task:
    """The task called `name`: same arguments, same bytes.

    `sizes` gives the number of items of each split that is wanted (default: see the generator), `defects` the share of
    training rows to damage, by kind (default: none). Raises ParameterError for a name, split, size or kind that does
    not exist.
    """
    if name not in _GENERATORS:
        raise ParameterError(f"no task is called {name!r}", f"tasks: {', '.join(names())}")
    return _GENERATORS[name](seed, sizes, defects)
