"""Seeded fine-tuning tasks: `make("finance", seed=0)` gives a Task whose splits share neither items nor templates."""

from __future__ import annotations

from collections.abc import Mapping

from triptych.errors import ParameterError
from triptych.ft_dojo.tasks import chemistry, finance, math, patent, recipe, table
from triptych.ft_dojo.tasks.base import LABELS, SPLITS, Item, Row, Sample, Task
from triptych.ft_dojo.tasks.recipe import Recipe

__all__ = ["LABELS", "SPLITS", "Item", "Row", "Sample", "Task", "make", "names", "recipes"]

_RECIPES = {
    made.id: made for made in (math.RECIPE, *patent.RECIPES, *chemistry.RECIPES, finance.RECIPE, *table.RECIPES)
}


def recipes() -> tuple[Recipe, ...]:
    """The thirteen recipes, domain by domain in the paper's order."""
    return tuple(_RECIPES.values())


def names() -> list[str]:
    """The tasks that can be made."""
    return sorted(_RECIPES)


def make(
    name: str,
    seed: int,
    sizes: Mapping[str, int] | None = None,
    defects: Mapping[str, float] | None = None,
    *,
    reserved: bool = False,
) -> Task:
    """The task called `name`: same arguments, same bytes.

    `sizes` gives the number of items of each split that is wanted (default: `recipe.SIZES`), `defects` the share of
    public rows to damage, by kind (default: the task's own; `{}` for none). `reserved` adds the kinds that are kept
    back for the last test of an agent. Raises ParameterError for a name, split, size or kind that does not exist.
    """
    if name not in _RECIPES:
        raise ParameterError(f"no task is called {name!r}", f"tasks: {', '.join(names())}")
    return recipe.generate(_RECIPES[name], seed, sizes, defects, reserved=reserved)
