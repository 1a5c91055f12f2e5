"""How far judges agree: with the truth (exact intervals) and with one another (Cohen κ, Gwet AC1, Krippendorff α).

κ falls towards zero when one category is rare, however well the judges agree (the "kappa paradox", Feinstein and
Cicchetti 1990); most answers being right, that is the normal case here. AC1 does not, so both are reported. α handles
any number of judges and missing verdicts.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import krippendorff
import numpy as np
import pandas as pd
from scipy.stats import t as student
from statsmodels.stats.inter_rater import cohens_kappa
from statsmodels.stats.proportion import proportion_confint

from triptych.errors import DataError, ParameterError

Verdict = Hashable | None


@dataclass(frozen=True)
class Coefficient:
    """A coefficient of agreement with its standard error and 95 % interval (missing where it has none)."""

    name: str
    value: float
    error: float | None
    low: float | None
    high: float | None
    items: int


def exact_interval(successes: int, trials: int, level: float = 0.95) -> tuple[float, float]:
    """Clopper and Pearson's exact interval for a proportion. Raises ParameterError unless 0 ≤ successes ≤ trials."""
    if not 0 <= successes <= trials or trials == 0:
        raise ParameterError(f"{successes} of {trials} is not a proportion", "count again")
    low, high = cast("tuple[float, float]", proportion_confint(successes, trials, alpha=1 - level, method="beta"))
    return float(low), float(high)


def cohen_kappa(first: Sequence[Verdict], second: Sequence[Verdict]) -> Coefficient:
    """Cohen's κ of two judges (statsmodels), over the items that both judged.

    Raises DataError when no item was judged by both, or all verdicts are the same one (κ is 0/0 then).
    """
    counts, _ = _distribution([first, second])
    pairs = [(a, b) for a, b in zip(first, second, strict=True) if a is not None and b is not None]
    if not pairs:
        raise DataError("no item was judged by both", "κ needs pairs of verdicts")
    if counts.shape[1] < 2:
        raise DataError("every verdict is the same: κ is not defined", "report the agreement and AC1")
    names = sorted({verdict for pair in pairs for verdict in pair}, key=str)
    matrix = np.zeros((len(names), len(names)))
    for a, b in pairs:
        matrix[names.index(a), names.index(b)] += 1
    found: Any = cohens_kappa(matrix)
    error = float(found.std_kappa)
    return Coefficient("Cohen κ", float(found.kappa), error, float(found.kappa_low), float(found.kappa_upp), len(pairs))


def gwet_ac1(judges: Sequence[Sequence[Verdict]], categories: int | None = None) -> Coefficient:
    """Gwet's AC1 for two or more judges, missing verdicts allowed, with his standard error (unconditional on judges).

    Gwet (2008), "Computing inter-rater reliability and its variance in the presence of high agreement", British Journal
    of Mathematical and Statistical Psychology 61, eqs. for γ and its variance, in the form of his Handbook (2014) for
    missing ratings: p_a over the items with at least two verdicts, p_e = Σ π_k (1 − π_k) / (q − 1). `categories` is q
    when some category was never used. Raises DataError when fewer than two items have two verdicts.
    """
    counts, q = _distribution(judges)
    q = max(q, categories or 0)
    given = counts.sum(axis=1)
    counts, given = counts[given > 0], given[given > 0]
    n, twice = len(counts), given >= 2
    paired = int(twice.sum())
    if paired < 2:
        raise DataError("fewer than two items have two verdicts", "agreement needs pairs of verdicts")
    shares = (counts / given[:, None]).mean(axis=0)
    chance = float((shares * (1 - shares)).sum()) / (q - 1) if q > 1 else 0.0
    agreeing = np.zeros(n)
    agreeing[twice] = (counts * (counts - 1)).sum(axis=1)[twice] / (given * (given - 1))[twice]
    observed = float(agreeing.sum()) / paired
    value = (observed - chance) / (1 - chance)
    # the item's own contribution to γ, less what it does to p_e (linearised)
    own = np.where(twice, n / paired * (agreeing - chance) / (1 - chance), 0.0)
    own_chance = (counts / given[:, None] * (1 - shares)).sum(axis=1) / (q - 1) if q > 1 else np.zeros(n)
    linear = own - 2 * (1 - value) * (own_chance - chance) / (1 - chance)
    error = float(np.sqrt(((linear - value) ** 2).sum() / (n * (n - 1))))
    reach = float(student.ppf(0.975, n - 1)) * error
    return Coefficient("Gwet AC1", value, error, max(-1.0, value - reach), min(1.0, value + reach), n)


def krippendorff_alpha(judges: Sequence[Sequence[Verdict]], draws: int = 0, seed: int = 0) -> Coefficient:
    """Krippendorff's α, nominal (package krippendorff); with `draws`, a percentile interval by resampling items.

    Raises DataError when every verdict is the same one (α is 0/0 then) or no item has two.
    """
    counts, _ = _distribution(judges)
    counts = counts[counts.sum(axis=1) >= 2]  # a verdict without a second one says nothing of agreement
    if not len(counts):
        raise DataError("no item has two verdicts", "agreement needs pairs of verdicts")
    if (counts.sum(axis=0) > 0).sum() < 2:
        raise DataError("every verdict is the same: α is not defined", "report the agreement and AC1")
    value = _alpha(counts)
    low = high = error = None
    if draws:
        random = np.random.default_rng(seed)
        samples = [counts[random.integers(0, len(counts), len(counts))] for _ in range(draws)]
        again = [_alpha(sample) for sample in samples if (sample.sum(axis=0) > 0).sum() > 1]
        low, high = (float(end) for end in np.percentile(again, [2.5, 97.5]))
        error = float(np.std(again, ddof=1))
    return Coefficient("Krippendorff α", value, error, low, high, len(counts))


def summary(judges: Sequence[Sequence[Verdict]], draws: int = 500, seed: int = 0) -> pd.DataFrame:
    """The three coefficients as a table; κ only for two judges, and a blank value where one is not defined."""
    found: list[Coefficient] = [gwet_ac1(judges)]
    try:
        found.append(krippendorff_alpha(judges, draws, seed))
        if len(judges) == 2:
            found.insert(0, cohen_kappa(judges[0], judges[1]))
    except DataError as error:
        if "not defined" not in error.message:
            raise
        missing = Coefficient("Cohen κ, Krippendorff α", float("nan"), None, None, None, found[0].items)
        found.append(missing)
    return pd.DataFrame([vars(item) for item in found])


def _distribution(judges: Sequence[Sequence[Verdict]]) -> tuple[np.ndarray, int]:
    """Items × categories: how many judges put each item into each category; and the number of categories used."""
    if len(judges) < 2 or len({len(judge) for judge in judges}) != 1:
        raise ParameterError("agreement needs two or more judges of the same items", "one sequence a judge")
    names = sorted({verdict for judge in judges for verdict in judge if verdict is not None}, key=str)
    if not names:
        raise DataError("no verdict was given", "agreement needs pairs of verdicts")
    counts = np.array(
        [[sum(judge[item] == name for judge in judges) for name in names] for item in range(len(judges[0]))]
    )
    return counts, len(names)


def _alpha(counts: np.ndarray) -> float:
    used = counts[:, counts.sum(axis=0) > 0]
    return float(krippendorff.alpha(value_counts=used, level_of_measurement="nominal"))
