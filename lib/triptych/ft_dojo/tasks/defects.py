"""Damage that real training data has, planted on purpose so that an agent can be asked to find it."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace

from triptych.errors import ParameterError
from triptych.ft_dojo.tasks.base import LABELS, Item

KINDS = ("wrong_label", "exact_duplicate")


def plant(
    items: Sequence[Item], defects: Mapping[str, float] | None, rng: random.Random
) -> tuple[tuple[Item, ...], tuple[tuple[str, str], ...]]:
    """Damage a share of `items` per kind and say what was done, as (kind, item id).

    The number of rows stays the same: a duplicate overwrites another row, as in a pool that was sampled with
    repetition. No row is damaged twice. Raises ParameterError for an unknown kind or shares outside [0, 1] in sum.
    """
    wanted = dict(defects or {})
    unknown = sorted(set(wanted) - set(KINDS))
    if unknown:
        raise ParameterError(f"no defect is called {unknown[0]!r}", f"defects: {', '.join(KINDS)}")
    if any(share < 0 for share in wanted.values()) or sum(wanted.values()) > 0.5:
        raise ParameterError(f"defect shares {wanted} are not usable", "shares from 0, at most half of the rows in sum")
    rows = list(items)
    order = rng.sample(range(len(rows)), len(rows))
    counts = {kind: round(wanted.get(kind, 0.0) * len(rows)) for kind in KINDS}
    damaged, sound = order[: sum(counts.values())], order[sum(counts.values()) :]
    planted: list[tuple[str, str]] = []
    for position in damaged[: counts["wrong_label"]]:
        item = rows[position]
        wrong = rng.choice([label for label in LABELS if label != item.label])
        rows[position] = replace(item, label=wrong)
        planted.append(("wrong_label", item.id))
    for position in damaged[counts["wrong_label"] :]:
        item = rows[position]
        rows[position] = replace(rows[rng.choice(sound)], id=item.id)
        planted.append(("exact_duplicate", item.id))
    return tuple(rows), tuple(sorted(planted))
