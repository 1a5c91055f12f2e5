"""A judge that errs is a measuring instrument: what its errors do to a share of correct answers, and undoing it.

Positive here means *judged correct*; sensitivity is the share of truly correct answers that the judge passes,
specificity the share of wrong ones that it fails. Three corrections, each with an interval that carries the uncertainty
of the judge's own validation:

* Rogan and Gladen (1978), θ = (p + sp − 1) / (se + sp − 1), with the interval of Lang and Reiczigel (2014);
* prediction-powered inference (Angelopoulos et al. 2023; power tuning, Angelopoulos, Duchi and Zrnic 2023), when a
  random part of the very runs was also judged by people;
* `headline`, which carries the judge's error into the difference of two arms, by resampling questions and redrawing
  sensitivity and specificity together; `pairwise` the same for every pair of several arms, with intervals that hold for
  all pairs at once and so for the largest difference too, which was chosen because it is large.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import norm

from triptych.errors import DataError, ParameterError
from triptych.legal_rag.agreement import exact_interval

Floats = npt.NDArray[np.float64]
Z = float(norm.ppf(0.975))


@dataclass(frozen=True)
class Checked:
    """What a validation found: `right` of `trials` items judged rightly."""

    right: int
    trials: int

    def __post_init__(self) -> None:
        if not 0 <= self.right <= self.trials or self.trials == 0:
            raise ParameterError(f"{self.right} of {self.trials} is not a proportion", "count again")

    @property
    def share(self) -> float:
        return self.right / self.trials

    def interval(self) -> tuple[float, float]:
        """Exact 95 % interval."""
        return exact_interval(self.right, self.trials)


@dataclass(frozen=True)
class Estimate:
    """A corrected value and its 95 % interval."""

    value: float
    low: float
    high: float


def rogan_gladen(apparent: float, sensitivity: float, specificity: float) -> float:
    """The true share behind an apparent one, cut to [0, 1] (Rogan and Gladen 1978).

    Raises DataError when the judge is no better than a coin (sensitivity + specificity ≤ 1).
    """
    return float(np.clip(_unclipped(apparent, sensitivity, specificity), 0.0, 1.0))


def corrected_share(judged_correct: int, runs: int, sensitivity: Checked, specificity: Checked) -> Estimate:
    """The share of truly correct answers, for independent samples of runs, correct items and wrong items.

    The point is Rogan and Gladen's, the interval Lang and Reiczigel's (Preventive Veterinary Medicine 113, 2014): their
    estimate adds z²/2 to both counts of the runs and one to both counts of each validation sample, shifts the centre
    and keeps its coverage for samples as small as 30. It may not be centred on the point.
    """
    share = Checked(judged_correct, runs).share
    point = rogan_gladen(share, sensitivity.share, specificity.share)
    n, n_se, n_sp = runs + Z**2, sensitivity.trials + 2, specificity.trials + 2
    p, se, sp = (judged_correct + Z**2 / 2) / n, (sensitivity.right + 1) / n_se, (specificity.right + 1) / n_sp
    youden = se + sp - 1
    theta = _unclipped(p, se, sp)
    var_se, var_sp = se * (1 - se) / n_se, sp * (1 - sp) / n_sp
    error = float(np.sqrt(p * (1 - p) / n + theta**2 * var_se + (1 - theta) ** 2 * var_sp)) / youden
    shift = 2 * Z**2 * (theta * var_se - (1 - theta) * var_sp)
    low, high = (float(np.clip(theta + shift + sign * Z * error, 0.0, 1.0)) for sign in (-1, 1))
    return Estimate(point, min(low, point), max(high, point))


def prediction_powered(
    judged: Sequence[float] | Floats,
    judged_checked: Sequence[float] | Floats,
    truth_checked: Sequence[float] | Floats,
    tune: bool = True,
) -> Estimate:
    """The mean truth from many judged runs and a random few of them that people checked too.

    θ = λ · mean(judged) + mean(truth − λ · judged_checked), λ = 1 without tuning, otherwise the variance-minimising
    cov(truth, judged) / ((1 + n/N) var(judged)). `judged` (N) holds the runs that were *not* checked. A poor judge
    widens the interval and cannot bias it. Raises ParameterError for fewer than two checked or unchecked runs.
    """
    many, few, truth = (np.asarray(item, dtype=float) for item in (judged, judged_checked, truth_checked))
    if few.shape != truth.shape or len(few) < 2 or len(many) < 2:
        raise ParameterError(
            "needs two or more runs of each sort, and a truth for every checked one", "check more runs"
        )
    n, total = len(few), len(many)
    weight = 1.0
    if tune:
        variance = float(np.var(np.r_[many, few], ddof=1))
        covariance = float(np.cov(truth, few)[0, 1])
        weight = covariance / ((1 + n / total) * variance) if variance > 0 else 0.0
    gaps = truth - weight * few
    value = weight * float(many.mean()) + float(gaps.mean())
    error = float(np.sqrt(weight**2 * np.var(many, ddof=1) / total + np.var(gaps, ddof=1) / n))
    return Estimate(value, value - Z * error, value + Z * error)


@dataclass(frozen=True)
class Headline:
    """A difference of two arms as judged, and corrected for the judge; both with 95 % intervals."""

    judged: Estimate
    corrected: Estimate
    sensitivity: Checked
    specificity: Checked


def headline(
    first: Sequence[float] | Floats,
    second: Sequence[float] | Floats,
    sensitivity: Checked,
    specificity: Checked,
    draws: int = 4000,
    seed: int = 0,
) -> Headline:
    """Difference of two arms on the same questions, corrected for a judge that errs alike on both.

    Under errors that do not depend on the arm, a true difference δ shows as δ · (se + sp − 1): the correction divides,
    so a judge's errors always shrink what is seen. The interval resamples questions (pairs kept) and, in each draw,
    draws sensitivity and specificity from their Jeffreys posteriors Beta(right + ½, wrong + ½), which is how doubt
    about the judge widens it. Draws in which the judge is no better than a coin count as ±1. `first` and `second` hold
    one value a question. A judge that favours one arm is not corrected by this: validate it on each arm. The two arms
    must have been named before the results were seen; for the best against the worst of several take `pairwise`.
    """
    a, b = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    if a.shape != b.shape or a.ndim != 1 or len(a) < 2:
        raise ParameterError("a paired comparison needs two equally long series", "see runs.wide")
    gaps = a - b
    random = np.random.default_rng(seed)
    means = gaps[random.integers(0, len(gaps), (draws, len(gaps)))].mean(axis=1)
    youden = _jeffreys(sensitivity, draws, random) + _jeffreys(specificity, draws, random) - 1
    useful = youden > 0
    again = np.where(useful, np.clip(means / np.where(useful, youden, 1.0), -1, 1), np.where(means < 0, -1.0, 1.0))
    observed = float(gaps.mean())
    corrected = float(np.clip(observed / _youden(sensitivity.share, specificity.share), -1, 1))
    raw, full = (np.percentile(sample, [2.5, 97.5]) for sample in (means, again))
    return Headline(
        Estimate(observed, float(raw[0]), float(raw[1])),
        Estimate(corrected, float(full[0]), float(full[1])),
        sensitivity,
        specificity,
    )


def pairwise(
    matrix: pd.DataFrame, checked: tuple[Checked, Checked] | None = None, draws: int = 4000, seed: int = 0
) -> pd.DataFrame:
    """The difference of every pair of arms (columns of `runs.wide`, values in [0, 1]), intervals valid for all at once.

    Columns: first, second, then value, low, high as judged, and corrected, corrected_low, corrected_high: divided by
    se + sp − 1 as in `headline`, for the sensitivity and specificity in `checked`; missing without. The first arm of a
    pair is the better one as judged; the largest difference stands on top. With 95 % confidence *no* interval misses
    its difference, so the largest one may be quoted although the data chose it.

    value ± c · error, where c is the 95 % point of the largest |t| of all pairs (Gaussian multiplier bootstrap over
    questions, Chernozhukov, Chetverikov and Kato 2013, divided by χ of n − 1 degrees of freedom). The error is Agresti
    and Min's (2005): it adds half a question to either discordant cell and one to the others, without which rare
    discordance is taken for certainty. Doubt about the judge enters by the delta method; where its own 95 % interval
    leaves se + sp − 1 room to be 0, the corrected interval is the whole range. Raises ParameterError for fewer than two
    arms or questions.
    """
    values = matrix.to_numpy(dtype=float)
    n, arms = values.shape
    if n < 2 or arms < 2:
        raise ParameterError("pairs need two or more arms and questions", "see runs.wide")
    names = [" × ".join(column) if isinstance(column, tuple) else str(column) for column in matrix.columns]
    order = np.argsort(-values.mean(axis=0), kind="stable").tolist()
    pairs = list(itertools.combinations(order, 2))
    gaps = np.stack([values[:, one] - values[:, two] for one, two in pairs], axis=1)
    observed = gaps.mean(axis=0)
    error = np.sqrt((((gaps**2).sum(axis=0) + 1) / (n + 2) - (gaps.sum(axis=0) / (n + 2)) ** 2) / (n + 2))
    random = np.random.default_rng(seed)
    centred = gaps - observed
    norms = np.sqrt((centred**2).sum(axis=0))
    drawn = random.standard_normal((draws, n)) @ (centred / np.where(norms > 0, norms, 1.0))
    spread = np.sqrt(random.chisquare(n - 1, (draws, 1)) / (n - 1))
    reach = _largest(drawn / spread) * error
    table = pd.DataFrame(
        {
            "first": [names[one] for one, _ in pairs],
            "second": [names[two] for _, two in pairs],
            "value": observed,
            "low": np.clip(observed - reach, -1, 1),
            "high": np.clip(observed + reach, -1, 1),
            **dict.fromkeys(("corrected", "corrected_low", "corrected_high"), np.nan),
        }
    )
    if checked is not None:
        youden = _youden(*(each.share for each in checked))
        shared = random.standard_normal((draws, 1))  # the same judge in every pair
        doubt = _jeffreys(checked[0], draws, random) + _jeffreys(checked[1], draws, random) - 1
        theta, wrong = np.clip(observed / youden, -1, 1), float(doubt.std())
        both = np.sqrt(error**2 + (theta * wrong) ** 2)
        reach = _largest((drawn * error + shared * theta * wrong) / both / spread) * both / youden
        if np.percentile(doubt, 2.5) <= 0:  # it may be a coin
            reach = np.full(len(pairs), np.inf)
        table["corrected"] = theta
        table["corrected_low"], table["corrected_high"] = np.clip([theta - reach, theta + reach], -1, 1)
    return table.sort_values("value", ascending=False, kind="stable", ignore_index=True)


def _largest(draws: Floats) -> float:
    """The 95 % point of the largest |value| in a row."""
    return float(np.quantile(np.abs(draws).max(axis=1), 0.95))


def _jeffreys(checked: Checked, draws: int, random: np.random.Generator) -> Floats:
    return random.beta(checked.right + 0.5, checked.trials - checked.right + 0.5, draws)


def _youden(sensitivity: float, specificity: float) -> float:
    if sensitivity + specificity <= 1:
        raise DataError(
            f"a judge with sensitivity {sensitivity:.2f} and specificity {specificity:.2f} is no better than a coin",
            "use another judge: nothing can be corrected",
        )
    return sensitivity + specificity - 1


def _unclipped(apparent: float, sensitivity: float, specificity: float) -> float:
    return (apparent + specificity - 1) / _youden(sensitivity, specificity)
