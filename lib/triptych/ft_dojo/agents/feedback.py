"""Structured feedback: what a loss curve and wrong items say, and whether one plan is better than another."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from triptych.ft_dojo.agents.plan import Cluster, Curve, Decision, Scored

SEED_SPREAD = 0.05  # standard deviation of a val score between seeds of a plan, measured in 06_selection_noise
CERTAIN = 0.5  # standard errors of a difference from which it is taken to be one: right in nine of ten (same notebook)
MOST_SEEDS = 3  # of one plan


def curve(losses: Sequence[float]) -> Curve:
    """Features of a recorded loss curve (nats per predicted token)."""
    values = np.asarray(losses, float)
    fifth = max(len(values) // 5, 1)
    half = values[len(values) // 2 :]
    slope = float(np.polyfit(np.linspace(0, 1, len(half)), half, 1)[0] / half.mean()) if len(half) > 2 else 0.0
    noise = float(np.abs(np.diff(values)).mean() / values.mean()) if len(values) > 1 else 0.0
    return Curve(
        first=round(float(values[:fifth].mean()), 4),
        last=round(float(values[-fifth:].mean()), 4),
        slope=round(slope, 4),
        noise=round(noise, 4),
    )


def clusters(wrong: Sequence[Mapping[str, Any]]) -> tuple[Cluster, ...]:
    """Wrong items grouped by how the answer differs from the expected one, most frequent first."""
    groups: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for item in wrong:
        groups[_difference(str(item["answered"]), str(item["expected"]), str(item["prompt"]))].append(item)
    found = [
        Cluster(what=what, count=len(items), example=f"{items[0]['answered']!r} for {items[0]['expected']!r}")
        for what, items in groups.items()
    ]
    return tuple(sorted(found, key=lambda cluster: (-cluster.count, cluster.what)))


def difference(new: Sequence[Scored], old: Sequence[Scored]) -> tuple[float, float]:
    """Difference of two mean scores and its standard error.

    The error holds the luck of the items, p(1 − p)/n for each run (runs answer the same items, so this is too large
    rather than too small), and that of the seed: the spread that the runs show, and no less than SEED_SPREAD while
    there are few of them.
    """
    means = [sum(run.score for run in runs) / len(runs) for runs in (new, old)]
    variance = 0.0
    for runs, mean in zip((new, old), means, strict=True):
        shown = float(np.var([run.score for run in runs], ddof=1)) if len(runs) > 1 else 0.0
        between = max(shown, SEED_SPREAD**2) if len(runs) < MOST_SEEDS else shown
        smoothed = (mean * runs[0].n + 1) / (runs[0].n + 2)  # a score of 0 or 1 is not without error
        variance += smoothed * (1 - smoothed) / runs[0].n / len(runs) + between / len(runs)
    return means[0] - means[1], math.sqrt(variance)


def judge(new: Sequence[Scored], old: Sequence[Scored], can_repeat: bool) -> tuple[Decision, str]:
    """Accept, reject, or repeat with another seed; a difference within its error never accepts.

    What looks no better is not repeated: that the present best stays is the default, and the seconds are better spent
    on another plan.
    """
    gap, error = difference(new, old)
    said = f"difference {gap:+.3f} with standard error {error:.3f} over {len(new)} and {len(old)} seeds"
    if gap > CERTAIN * error:
        return "accept", said
    if gap < -CERTAIN * error:
        return "reject", said
    if can_repeat and gap > 0 and len(new) < MOST_SEEDS:
        return "repeat", f"{said}: not told apart, another seed"
    return "reject", f"{said}: not told apart, the present best stays"


def _difference(answered: str, expected: str, prompt: str) -> str:
    if not answered.strip():
        return "no answer"
    if answered.isdigit() and expected.isdigit():
        gap = int(answered) - int(expected)
        return f"off by {gap:+d}" if abs(gap) <= 2 else "another number"
    if answered.isdigit() != expected.isdigit():
        return "a number for words" if answered.isdigit() else "words for a number"
    if f" {answered} " in f" {prompt} " and len(answered.split()) > 2:
        return "repeats the question"
    a, b = Counter(answered.split()), Counter(expected.split())
    if a == b:
        return "the right words in another order"
    lengths = answered.split(), expected.split()
    if len(lengths[0]) != len(lengths[1]):
        return "too short" if len(lengths[0]) < len(lengths[1]) else "too long"
    return f"{(a - b).total()} of {b.total()} words differ" if b.total() > 1 else "another word"
