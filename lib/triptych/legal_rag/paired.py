"""Paired tests of arms that answered the same questions: exact where the numbers are small.

With 100 questions the large-sample Wald test is not the last word. Two arms: McNemar's exact test, an equivalence test,
a BCa bootstrap interval. Several arms: Cochran's Q, then all pairs with Holm's correction. Two arms' *kinds* of error:
Bowker's symmetry and Stuart–Maxwell's marginal homogeneity. pingouin and statsmodels compute; here is only what brings
the tidy table to them and guards the cases they stumble over.

Repeats are no further questions. `runs.wide` averages them within question and arm, which equivalence and bootstrap
take; exact tests need one answer a question and arm and refuse averages (`runs.one_repeat` selects).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pandas as pd
import pingouin
from scipy.stats import binomtest, chi2
from scipy.stats import t as student

from triptych.errors import DataError, ParameterError
from triptych.legal_rag import runs
from triptych.legal_rag.runs import Measure, Unparsed

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class McNemar:
    """`only_first` and `only_second` questions were right in one arm alone; p is exact (binomial, two-sided)."""

    n: int
    only_first: int
    only_second: int
    difference: float
    p: float


def mcnemar(first: Sequence[int] | npt.NDArray[Any], second: Sequence[int] | npt.NDArray[Any]) -> McNemar:
    """McNemar's exact test of two arms' outcomes (0 or 1) on the same questions; p = 1 without a discordant pair."""
    a, b = _paired(first, second)
    only_first, only_second = int(((a == 1) & (b == 0)).sum()), int(((a == 0) & (b == 1)).sum())
    if only_first + only_second == 0:
        p = 1.0  # pingouin divides by zero here
    elif len(np.unique(a)) == 1 or len(np.unique(b)) == 1:
        p = float(binomtest(only_first, only_first + only_second).pvalue)  # pingouin wants both values in both arms
    else:
        _, table = pingouin.chi2_mcnemar(pd.DataFrame({"first": a, "second": b}), "first", "second")
        p = float(table["p_exact"].iloc[0])
    return McNemar(len(a), only_first, only_second, float((a - b).mean()), min(p, 1.0))


@dataclass(frozen=True)
class Cochran:
    """Cochran's Q over three or more arms."""

    arms: int
    n: int
    q: float
    df: int
    p: float


def cochran(matrix: pd.DataFrame) -> Cochran:
    """Cochran's Q for a table questions × arms of 0 and 1 (`runs.wide`). Q = 0, p = 1 when no question tells them
    apart."""
    values = runs.binary(matrix)
    n, arms = values.shape
    if arms < 2:
        raise ParameterError("Cochran's Q needs two or more arms", "one column an arm")
    if (values.min(axis=1) == values.max(axis=1)).all():
        return Cochran(arms, n, 0.0, arms - 1, 1.0)
    found = pingouin.cochran(data=pd.DataFrame(values, columns=[f"arm {place}" for place in range(arms)]))
    return Cochran(arms, n, float(found["Q"].iloc[0]), int(found["dof"].iloc[0]), float(found["p_unc"].iloc[0]))


def holm(p_values: Sequence[float]) -> Floats:
    """Holm's (1979) step-down adjusted p-values, in the given order."""
    _, adjusted = pingouin.multicomp(list(p_values), method="holm")
    return np.asarray(adjusted, dtype=float)


def all_pairs(matrix: pd.DataFrame) -> pd.DataFrame:
    """McNemar for every pair of arms (columns of `runs.wide`), with Holm's correction over all of them.

    Columns: first, second, only_first, only_second, difference, p, p_holm.
    """
    values = runs.binary(matrix)
    names = [" × ".join(column) if isinstance(column, tuple) else str(column) for column in matrix.columns]
    rows: list[dict[str, Any]] = []
    for one, two in itertools.combinations(range(len(names)), 2):
        found = mcnemar(values[:, one], values[:, two])
        rows.append(
            {
                "first": names[one],
                "second": names[two],
                "only_first": found.only_first,
                "only_second": found.only_second,
                "difference": found.difference,
                "p": found.p,
            }
        )
    if not rows:
        raise ParameterError("pairs need two or more arms", "one column an arm")
    table = pd.DataFrame(rows)
    return table.assign(p_holm=holm(table["p"].tolist()))


def generator_within_retriever(frame: pd.DataFrame, measure: Measure, unparsed: Unparsed = "wrong") -> pd.DataFrame:
    """McNemar for every pair of generators within each retriever, Holm over all rows; columns as `all_pairs`."""
    parts: list[pd.DataFrame] = []
    for name, part in frame.groupby("retriever", sort=False):
        pairs = all_pairs(runs.wide(part, measure, ["generator"], unparsed)).drop(columns="p_holm")
        parts.append(pairs.assign(retriever=name))
    table = pd.concat(parts, ignore_index=True)
    return table.assign(p_holm=holm(table["p"].tolist()))


@dataclass(frozen=True)
class Equivalence:
    """Two one-sided tests. `p` for the given margin; `margin_needed` is the smallest margin accepted at 5 %."""

    difference: float
    margin: float
    p: float
    margin_needed: float
    low: float  # the 90 % interval; inside ± margin exactly when p < 0.05
    high: float


def equivalence(first: Sequence[float] | Floats, second: Sequence[float] | Floats, margin: float) -> Equivalence:
    """Paired TOST on the difference of two arms' means (Schuirmann 1987; pingouin), margin on the same scale.

    0.05 is five points. Raises ParameterError when the margin is not positive. Without any difference between the arms
    the t statistic has no denominator; p is then the exact chance, by the rule of three, that a discordance of `margin`
    or more would have shown itself nowhere: (1 − margin)ⁿ.
    """
    if margin <= 0:
        raise ParameterError(f"a margin of {margin} cannot be tested", "how large a difference would not matter?")
    a, b = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    if a.shape != b.shape or a.ndim != 1 or len(a) < 2:
        raise ParameterError("a paired test needs two equally long series of two or more", "see runs.wide")
    gaps = a - b
    if np.ptp(gaps) == 0:
        if gaps[0] != 0:
            raise DataError("the arms differ by the same amount everywhere", "there is nothing to test")
        needed = 1 - 0.05 ** (1 / len(a))
        return Equivalence(0.0, margin, max(0.0, 1 - margin) ** len(a), needed, -needed, needed)
    found = pingouin.tost(a, b, bound=cast("Any", margin), paired=True)  # typed as int, meant as a number
    mean, error = float(gaps.mean()), float(gaps.std(ddof=1)) / np.sqrt(len(gaps))
    reach = float(student.ppf(0.95, len(gaps) - 1)) * error
    return Equivalence(mean, margin, float(found["pval"].iloc[0]), abs(mean) + reach, mean - reach, mean + reach)


@dataclass(frozen=True)
class Interval:
    """An estimate with its 95 % interval."""

    value: float
    low: float
    high: float


def bootstrap(
    first: Sequence[float] | Floats, second: Sequence[float] | Floats, draws: int = 2000, seed: int = 0
) -> Interval:
    """Difference of two arms' means with a 95 % BCa interval, resampling questions (Efron 1987; pingouin).

    Give one value a question, repeats averaged. Identical differences everywhere leave nothing to resample: the
    interval is then the point.
    """
    gaps = np.asarray(first, dtype=float) - np.asarray(second, dtype=float)
    mean = float(gaps.mean())
    if np.ptp(gaps) == 0:
        return Interval(mean, mean, mean)
    low, high = pingouin.compute_bootci(gaps, func="mean", method="bca", n_boot=draws, seed=seed, decimals=12)
    return Interval(mean, float(low), float(high))


@dataclass(frozen=True)
class Square:
    """Two arms' error kinds on the same questions: the table, and both tests of its symmetry."""

    table: pd.DataFrame
    bowker: float
    bowker_df: int
    bowker_p: float
    stuart_maxwell: float
    stuart_maxwell_df: int
    stuart_maxwell_p: float


def kinds(first: Sequence[str], second: Sequence[str]) -> Square:
    """Bowker's test of symmetry and Stuart–Maxwell's of marginal homogeneity on paired kinds (`taxonomy.classify`).

    Only kinds that occur are compared. Degrees of freedom are the pairs of kinds that ever swap (Bowker) and the rank
    of the covariance (Stuart–Maxwell). statsmodels' SquareTable agrees where every pair swaps, but divides by zero
    where one does not, and with rare kinds of error one usually does not. No swap at all: χ² = 0, p = 1.
    """
    if len(first) != len(second) or not len(first):
        raise ParameterError("paired kinds need two equally long series", "the same questions in the same order")
    names = sorted({*first, *second})
    counts = np.zeros((len(names), len(names)), dtype=np.int64)
    np.add.at(counts, ([names.index(name) for name in first], [names.index(name) for name in second]), 1)
    upper = np.triu_indices(len(names), 1)
    swaps, gaps = (counts + counts.T)[upper], (counts - counts.T)[upper]
    bowker = float((gaps[swaps > 0] ** 2 / swaps[swaps > 0]).sum())
    pairs = int((swaps > 0).sum())
    shift = (counts.sum(axis=1) - counts.sum(axis=0)).astype(float)
    spread = np.diag(counts.sum(axis=1) + counts.sum(axis=0)) - counts - counts.T
    rank = int(np.linalg.matrix_rank(spread))
    maxwell = float(shift @ np.linalg.pinv(spread, hermitian=True) @ shift)
    return Square(
        pd.DataFrame(counts, index=names, columns=names),
        bowker,
        pairs,
        float(chi2.sf(bowker, pairs)) if pairs else 1.0,
        maxwell,
        rank,
        float(chi2.sf(maxwell, rank)) if rank else 1.0,
    )


def _paired(first: Any, second: Any) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    a, b = runs.binary(cast("pd.Series", first)), runs.binary(cast("pd.Series", second))
    if a.shape != b.shape or a.ndim != 1 or not len(a):
        raise ParameterError("a paired test needs two equally long series", "see runs.wide")
    return a, b
