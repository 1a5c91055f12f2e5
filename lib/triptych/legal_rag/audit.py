"""What the paper's published aggregates force, allow and exclude. No data of the paper's runs is used or needed.

**Why aggregates say so much.** Let y_q ∈ {0, 1}⁶ be the outcomes of question q in the six cells (retriever-major), m
their sums over the n = 100 questions, and C an integer contrast matrix whose rows sum to zero. In a complete factorial
the linear probability model with question fixed effects estimates C m / n, and its covariance clustered on the question
is Σ_q (C y_q − C m / n)(C y_q − C m / n)ᵀ / n² times a small-sample factor f that depends on the software alone. So

    χ² = sᵀ (A − s sᵀ / n)⁻¹ s / f,   s = C m,   A = Σ_q C y_q y_qᵀ Cᵀ,

and A has integer entries: one integer for an effect of one degree of freedom, three for two. A reported χ², printed to
two decimals and with its p-value to three, therefore comes from a short list of integers or from none. Whether a list
entry is possible is a question about how many questions show each of the 64 patterns y (an integer programme, solved by
scipy's HiGHS). An entry that is possible has a witness table; when all entries are infeasible, that is a proof. The
idea is that of granularity tests of means (GRIM: Brown and Heathers 2017), here for Wald statistics.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.optimize import Bounds, LinearConstraint, milp, minimize
from scipy.stats import chi2, norm

from triptych.errors import LimitError, ParameterError
from triptych.legal_rag import published, runs
from triptych.legal_rag.agreement import exact_interval
from triptych.legal_rag.published import GENERATORS, QUESTIONS, RETRIEVERS, Effect, Judged

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

ARMS: tuple[tuple[str, str], ...] = tuple(itertools.product(RETRIEVERS, GENERATORS))
PATTERNS: Ints = np.array(list(itertools.product((0, 1), repeat=len(ARMS))), dtype=np.int64)  # 64 × 6


# --- the statistic ---------------------------------------------------------------------------------------------------


def small_sample_factors(n: int = QUESTIONS, cells: int = len(ARMS)) -> dict[str, float]:
    """By what the clustered covariance is multiplied, by software habit, in a complete factorial of n × `cells` runs.

    `none`: CR0. `clusters`: G / (G − 1), which here is also what the cluster jackknife gives. `absorbed`: further
    times (N − 1) / (N − K), K the five slopes that are left when the question effects are subtracted first.
    `dummies`: the same with K counting a dummy a question, as an ordinary regression on dummies does (statsmodels,
    Stata's `regress`). `additive`: `dummies` for the model without interaction.
    """
    total, clusters = n * cells, n / (n - 1)
    return {
        "none": 1.0,
        "clusters": clusters,
        "absorbed": clusters * (total - 1) / (total - (cells - 1)),
        "dummies": clusters * (total - 1) / (total - (n - 1) - cells),
        "additive": clusters * (total - 1) / (total - (n - 1) - (len(RETRIEVERS) + len(GENERATORS) - 1)),
    }


@dataclass(frozen=True)
class Coding:
    """How a factor enters beside its interaction, which decides what its "main effect" is.

    Sum coding averages over the other factor (both None). Treatment coding looks at one reference level of it:
    `generator` for the retriever's effect, `retriever` for the generator's. The interaction does not depend on it.
    """

    retriever: str | None = None
    generator: str | None = None

    def __str__(self) -> str:
        reference = self.retriever or self.generator
        return f"treatment, at {reference}" if reference else "sum"


SUM = Coding()


def codings(effect: Effect) -> tuple[Coding, ...]:
    """Every coding under which an effect is a different hypothesis."""
    if effect == "retriever":
        return (SUM, *(Coding(generator=name) for name in GENERATORS))
    if effect == "generator":
        return (SUM, *(Coding(retriever=name) for name in RETRIEVERS))
    return (SUM,)


def contrasts(effect: Effect, coding: Coding = SUM) -> Ints:
    """The integer contrast matrix (1 or 2 rows × 6 cells) of an effect; scale does not matter to χ²."""
    gap = np.array([1, -1]) if coding.generator is None else np.eye(2, dtype=int)[GENERATORS.index(coding.generator)]
    pairs = np.array([[1, -1, 0], [1, 0, -1]])
    if effect == "interaction":
        return np.kron(pairs, [1, -1]).astype(np.int64)
    if effect == "generator":
        over = np.ones(3) if coding.retriever is None else np.eye(3)[RETRIEVERS.index(coding.retriever)]
        return np.kron(over, [1, -1])[None].astype(np.int64)
    over = np.abs(gap)  # both generators, or the reference alone
    return np.kron(pairs, over).astype(np.int64)


def wald(outcomes: Ints, contrast: Ints, factor: float = 1.0) -> float:
    """χ² of a contrast on outcomes (questions × 6 cells), by the formula of the module. inf when A − ssᵀ/n is singular
    in the direction of s."""
    projected = outcomes @ contrast.T
    total, moment = projected.sum(axis=0), projected.T @ projected
    return float(_chi2(total, moment.astype(float)[None], len(outcomes))[0]) / factor


def expand(counts: Ints) -> Ints:
    """The outcomes (questions × 6) of a table of pattern counts (64,)."""
    return np.repeat(PATTERNS, counts, axis=0)


def _chi2(total: Ints, moments: Floats, n: int) -> Floats:
    """sᵀ (A − s sᵀ / n)⁻¹ s for a stack of moment matrices (… × q × q), inf where the matrix is not positive."""
    spread = moments - np.outer(total, total) / n
    if len(total) == 1:
        value = spread[:, 0, 0]
        with np.errstate(divide="ignore"):
            return np.where(value > 1e-9, float(total[0]) ** 2 / value, np.inf)
    a, b, d = spread[:, 0, 0], spread[:, 0, 1], spread[:, 1, 1]
    determinant = a * d - b * b
    first, second = float(total[0]), float(total[1])
    above = first * first * d - 2 * first * second * b + second * second * a
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where((determinant > 1e-9) & (a > 0), above / determinant, np.inf)


# --- which tables of patterns exist ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Equations:
    """Linear conditions on the 64 pattern counts: `rows @ counts == totals`."""

    rows: Floats
    totals: Floats

    def plus(self, rows: Ints | Floats, totals: Ints | Floats | Sequence[float]) -> Equations:
        """These conditions and further ones."""
        more = np.atleast_2d(np.asarray(rows, dtype=float))
        return Equations(np.vstack([self.rows, more]), np.r_[self.totals, np.atleast_1d(totals)])

    def solve(self) -> Ints | None:
        """Counts that fulfil them, or None when there are none (proved, not given up: LimitError then)."""
        return self._optimise(np.zeros(len(PATTERNS)), whole=True)

    def least(self, weights: Floats | Ints, whole: bool = True) -> float | None:
        """The smallest possible `weights @ counts` (counts whole, or any non-negative), None when there is no table."""
        found = self._optimise(np.asarray(weights, dtype=float), whole=whole)
        return None if found is None else float(np.asarray(weights) @ found)

    def bounds(self, weights: Floats | Ints) -> tuple[int, int] | None:
        """The smallest and the largest possible value of integer weights on the counts; None: no table."""
        low, high = self.least(weights), self.least(-np.asarray(weights, dtype=float))
        return None if low is None or high is None else (round(low), round(-high))

    def _optimise(self, weights: Floats, whole: bool) -> Any:
        result = milp(
            weights,
            constraints=_equal(self.rows, self.totals),
            integrality=np.full(len(PATTERNS), int(whole)),
            bounds=Bounds(0, np.inf),
            options={"time_limit": 60.0},
        )
        if result.status == 2:  # infeasible
            return None
        if result.x is None or result.status != 0:
            raise LimitError(f"the solver gave up: {result.message}", "run it on a quieter machine")
        return np.rint(result.x).astype(np.int64) if whole else result.x


def _equal(rows: Floats, totals: Floats) -> LinearConstraint:
    return LinearConstraint(rows, cast("Any", totals), cast("Any", totals))  # scipy's types know only single numbers


def marginals(sums: Sequence[int], n: int = QUESTIONS) -> Equations:
    """The conditions that n questions give the six cell sums."""
    if len(sums) != len(ARMS) or not all(0 <= item <= n for item in sums):
        raise ParameterError(f"six cell sums from 0 to {n} are needed, not {tuple(sums)}", "see published.CELLS")
    return Equations(np.vstack([np.ones(len(PATTERNS)), PATTERNS.T.astype(float)]), np.r_[n, sums].astype(float))


def sums_of(measure: Judged) -> tuple[int, ...]:
    """The six published cell sums of a measure, retriever-major."""
    return tuple(published.CELLS[measure][arm] for arm in ARMS)


def _squares(contrast: Ints) -> Ints:
    """Rows whose values on the counts are the integers that A consists of: u₁² or u₁², u₂², (u₁ − u₂)²."""
    u = PATTERNS @ contrast.T
    if len(contrast) == 1:
        return (u[:, 0] ** 2)[None]
    return np.stack([u[:, 0] ** 2, u[:, 1] ** 2, (u[:, 0] - u[:, 1]) ** 2])


def _moments(squares: Ints) -> Floats:
    """The stack of matrices A of a stack (… × 1 or 3) of those integers."""
    if squares.shape[1] == 1:
        return squares[:, :, None].astype(float)
    first, second, between = squares.T.astype(float)
    cross = (first + second - between) / 2
    return np.stack([np.stack([first, cross], -1), np.stack([cross, second], -1)], -2)


# --- is a reported statistic possible? -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Print:
    """A statistic as printed: χ² (None: not reported), its degrees of freedom, and the p-value ("<.001" or ".499")."""

    chi2: str | None
    df: int
    p: str | None

    def agrees(self, value: Floats) -> npt.NDArray[np.bool_]:
        """Which of these χ² values would be printed so. A value half way between two prints may be printed either
        way."""
        right = np.isfinite(value)
        if self.chi2 is not None:
            right &= np.abs(value - float(self.chi2)) <= 0.5 * 10.0 ** -_decimals(self.chi2) + 1e-9
        if self.p is not None:
            tail = chi2.sf(np.where(np.isfinite(value), value, 0.0), self.df)
            if self.p.startswith("<"):
                right &= tail < float(self.p[1:])
            else:
                right &= np.abs(tail - float(self.p)) <= 0.5 * 10.0 ** -_decimals(self.p) + 1e-9
        return right


def printed(test: published.Wald) -> Print:
    """A reported test as `Print`."""
    return Print(test.chi2, test.df, test.p_text)


def _decimals(text: str) -> int:
    return len(text.split(".")[1]) if "." in text else 0


def candidates(said: Print, contrast: Ints, given: Equations, sums: Sequence[int], factor: float) -> Ints:
    """The integers of A (rows × 1 or 3) whose χ² would be printed as `said`, within the bounds that tables allow.

    Exhaustive: parity follows from s, and the bounds of each integer are integer programmes over all tables.
    """
    squares, total = _squares(contrast), contrast @ np.asarray(sums)
    wanted = [*total, total[0] - total[1]] if len(contrast) == 2 else [*total]
    ranges: list[Ints] = []
    for row, value in zip(squares, wanted, strict=True):
        limits = given.bounds(row)
        if limits is None:
            return np.empty((0, len(squares)), dtype=np.int64)
        low, high = limits
        ranges.append(np.arange(low + (low - int(value)) % 2, high + 1, 2, dtype=np.int64))  # u² ≡ u (mod 2)
    grid = np.stack([axis.ravel() for axis in np.meshgrid(*ranges, indexing="ij")], axis=1)
    n = int(given.totals[0])
    return grid[said.agrees(_chi2(total, _moments(grid), n) / factor)]


@dataclass(frozen=True)
class Verdict:
    """Whether a printed statistic can come from a table. `counts` is the witness (64 pattern counts), `value` its χ².

    `tried` integers of A would print so; when there is no witness, every one of them was proved impossible (none: the
    granularity of A alone excludes the print).
    """

    attainable: bool
    tried: int
    counts: Ints | None = None
    value: float | None = None


def attainable(said: Print, contrast: Ints, sums: Sequence[int], factor: float) -> Verdict:
    """Whether some table with these cell sums gives the printed statistic under a small-sample factor."""
    given = marginals(sums)
    options = candidates(said, contrast, given, sums, factor)
    for option in options:
        if (counts := given.plus(_squares(contrast), option).solve()) is not None:
            return Verdict(True, len(options), counts, wald(expand(counts), contrast, factor))
    return Verdict(False, len(options))


def attainability() -> pd.DataFrame:
    """Every reported χ² under every coding and every small-sample factor.

    Columns: measure, effect, printed, p, coding, factor, attainable, tried, value.
    """
    rows: list[dict[str, Any]] = []
    for test in published.WALD:
        if test.chi2 is None:
            continue
        for coding, (name, factor) in itertools.product(codings(test.effect), small_sample_factors().items()):
            if name == "additive" and test.effect == "interaction":
                continue  # the model without interaction has none to test
            verdict = attainable(printed(test), contrasts(test.effect, coding), sums_of(test.measure), factor)
            rows.append(
                {
                    "measure": test.measure,
                    "effect": test.effect,
                    "printed": test.chi2,
                    "p": test.p_text,
                    "coding": str(coding),
                    "factor": name,
                    "attainable": verdict.attainable,
                    "tried": verdict.tried,
                    "value": verdict.value,
                }
            )
    return pd.DataFrame(rows)


SIMPLE_KANON = Print(None, 1, published.GAP_P["Kanon 2"])  # the generator's simple effect within Kanon 2, groundedness
AT_KANON = Coding(retriever="Kanon 2")


def factor_intervals(low: float = 0.9, high: float = 2.2) -> pd.DataFrame:
    """For each reported statistic of one degree of freedom: the small-sample factors that could have printed it.

    χ² = s² / (A − s²/n) / f with A a whole number, so the factors come in separate intervals, one for each A that some
    table has. Columns: statistic, moment (A), low, high.
    """
    shown: list[tuple[str, Print, Coding, Judged]] = [
        ("generator, correct", printed(published.test("correct", "generator")), SUM, "correct"),
        ("generator, grounded", printed(published.test("grounded", "generator")), SUM, "grounded"),
        ("generator within Kanon 2, grounded", SIMPLE_KANON, AT_KANON, "grounded"),
    ]
    rows: list[dict[str, Any]] = []
    for name, said, coding, measure in shown:
        contrast, given = contrasts("generator", coding), marginals(sums_of(measure))
        total = int((contrast @ np.asarray(sums_of(measure)))[0])
        least, most = _printed_range(said)
        limits = given.bounds(_squares(contrast)[0])
        assert limits is not None, "the published cells have a table"
        for moment in range(limits[0] + (limits[0] - total) % 2, limits[1] + 1, 2):
            plain = float(_chi2(np.array([total]), np.array([[[float(moment)]]]), QUESTIONS)[0])
            if not np.isfinite(plain) or plain / most > high or plain / least < low:
                continue
            if given.plus(_squares(contrast), [moment]).solve() is not None:
                rows.append({"statistic": name, "moment": moment, "low": plain / most, "high": plain / least})
    return pd.DataFrame(rows)


def common_factors(intervals: pd.DataFrame) -> list[tuple[float, float]]:
    """The factors that every statistic of `factor_intervals` allows, as intervals."""
    common: list[tuple[float, float]] | None = None
    for _, part in intervals.groupby("statistic"):
        own = list(zip(part["low"].tolist(), part["high"].tolist(), strict=True))
        common = (
            own
            if common is None
            else [(max(a, c), min(b, d)) for (a, b), (c, d) in itertools.product(common, own) if max(a, c) <= min(b, d)]
        )
    return sorted(common or [])


def _printed_range(said: Print) -> tuple[float, float]:
    """The χ² values of one degree of freedom that print so, as an interval."""
    low, high = 0.0, np.inf
    if said.p is not None and not said.p.startswith("<"):
        half = 0.5 * 10.0 ** -_decimals(said.p)
        low, high = (float(chi2.isf(float(said.p) + sign * half, said.df)) for sign in (1, -1))
    if said.chi2 is not None:
        half = 0.5 * 10.0 ** -_decimals(said.chi2)
        low, high = max(low, float(said.chi2) - half), min(high, float(said.chi2) + half)
    return low, high


def extremes(contrast: Ints, sums: Sequence[int], directions: int = 241) -> tuple[float, float]:
    """Between which values χ² (factor 1) must lie for any table with these cell sums.

    One degree of freedom: exact, over whole counts. Two: the lower end is a bound for fractional tables too,
    max_λ min_counts 2 λᵀs − λᵀ(A − s sᵀ/n)λ (each λ gives a valid bound); the upper end is the largest value over a
    scan of directions μ with μᵀs = 1 of 1 / (min_counts μᵀ A μ − 1/n), and inf where that is not positive.
    """
    given, total, n = marginals(sums), contrast @ np.asarray(sums), QUESTIONS
    u = PATTERNS @ contrast.T
    if len(contrast) == 1:
        limits = given.bounds(_squares(contrast)[0])
        assert limits is not None
        low, high = (float(_chi2(total, np.array([[[float(end)]]]), n)[0]) for end in reversed(limits))
        return low, high
    length = float(total @ total)
    if length == 0:
        return 0.0, 0.0

    def lower(direction: Floats) -> float:
        negative = given.least(-((u @ direction) ** 2), whole=False)
        assert negative is not None
        return 2 * float(direction @ total) + negative + float(direction @ total) ** 2 / n

    start = total / length
    best = minimize(lambda direction: -lower(direction), start * 0.1, method="Nelder-Mead", options={"maxiter": 150})
    across = np.array([-total[1], total[0]]) / length
    angles = np.linspace(-np.pi / 2, np.pi / 2, directions + 2)[1:-1]
    spreads = [given.least((u @ (start + np.tan(angle) * across)) ** 2, whole=False) for angle in angles]
    least = min(cast("float", spread) for spread in spreads) - 1 / n
    return max(0.0, -float(best.fun)), (1 / least if least > 1e-9 else np.inf)


# --- one table behind all of it --------------------------------------------------------------------------------------


def tables_behind(
    reported: Sequence[tuple[Print, Ints]], sums: Sequence[int], factor: float, given: Equations | None = None
) -> Iterator[Ints]:
    """Pattern counts that give *all* the printed statistics at once, one table for each choice of the integers.

    Depth first over the reported tests in order; a choice is dropped when the integer programme proves that no table
    fulfils it together with the choices before it.
    """
    for narrowed in _narrowed(reported, sums, factor, given or marginals(sums)):
        if (counts := narrowed.solve()) is not None:
            yield counts


def _narrowed(
    reported: Sequence[tuple[Print, Ints]], sums: Sequence[int], factor: float, given: Equations
) -> Iterator[Equations]:
    """The conditions on a table after each feasible choice of the integers of all the reported tests."""
    if not reported:
        yield given
        return
    (said, contrast), *rest = reported
    for option in candidates(said, contrast, given, sums, factor):
        narrowed = given.plus(_squares(contrast), option)
        if narrowed.solve() is not None:
            yield from _narrowed(rest, sums, factor, narrowed)


EFFECTS: tuple[Effect, ...] = ("generator", "interaction", "retriever")  # cheapest integer programme first


def reported_tests(measure: Judged, effects: Sequence[Effect] = EFFECTS) -> list[tuple[Print, Ints]]:
    """The reported tests of a measure with their contrasts, in sum coding; also the simple effect within Kanon 2."""
    tests = [(printed(published.test(measure, effect)), contrasts(effect)) for effect in effects]
    if measure == "grounded":
        tests.insert(0, (SIMPLE_KANON, contrasts("generator", AT_KANON)))
    return tests


def cell_tables(limit: int | None = None) -> pd.DataFrame:
    """Every table of whole cell sums of correctness that the rounded marginals and the total errors allow.

    A total error e (not both correct and grounded) with groundedness g bounds correctness c: 100 − e ≤ c ≤ 200 − e − g.
    Column `first` … `last`: the six sums; `statistics`: whether some table with them gives every reported χ² of
    correctness at once (sum coding, factor `dummies`); proving that none does takes most of the time. `limit` stops
    after so many tables.
    """
    grounded = dict(zip(ARMS, sums_of("grounded"), strict=True))
    choices: list[list[tuple[int, int]]] = []
    for name in RETRIEVERS:
        mean = published.BY_RETRIEVER[name]["correct"]
        pairs = itertools.product(*(_possible_correct((name, generator), grounded) for generator in GENERATORS))
        choices.append([(a, b) for a, b in pairs if mean.holds((a + b) / (2 * QUESTIONS))])
    factor, tests = small_sample_factors()["dummies"], reported_tests("correct")
    rows: list[dict[str, Any]] = []
    for chosen in itertools.product(*choices):
        sums = tuple(itertools.chain.from_iterable(chosen))
        means = (sum(sums[place::2]) / (3 * QUESTIONS) for place in range(2))
        if all(published.BY_GENERATOR[g]["correct"].holds(m) for g, m in zip(GENERATORS, means, strict=True)):
            if limit is not None and len(rows) == limit:
                break
            possible = next(tables_behind(tests, sums, factor), None) is not None
            rows.append({**{f"{r} × {g}": c for (r, g), c in zip(ARMS, sums, strict=True)}, "statistics": possible})
    return pd.DataFrame(rows)


def _possible_correct(arm: tuple[str, str], grounded: Mapping[tuple[str, str], int]) -> range:
    error = published.TOTAL_ERROR[arm]
    if error is None:
        return range(QUESTIONS + 1)
    return range(QUESTIONS - error, min(QUESTIONS, 2 * QUESTIONS - error - grounded[arm]) + 1)


def total_errors() -> pd.DataFrame:
    """What the published numbers force about the errors of each cell, per 100 questions.

    hallucination = 100 − g. total: as published, or the bounds max(100 − c, 100 − g) … 200 − c − g where blank.
    other: retrieval and reasoning errors together, total − hallucination. though_correct: hallucinations whose answer
    was correct, hallucination + other = total = 100 − c + though_correct.
    """
    rows: list[dict[str, Any]] = []
    for arm in ARMS:
        c, g, error = published.CELLS["correct"][arm], published.CELLS["grounded"][arm], published.TOTAL_ERROR[arm]
        low, high = (error, error) if error is not None else (max(100 - c, 100 - g), min(100, 200 - c - g))
        rows.append(
            {
                "retriever": arm[0],
                "generator": arm[1],
                "correct": c,
                "grounded": g,
                "published": error is not None,
                "total_low": low,
                "total_high": high,
                "hallucination": 100 - g,
                "other_low": low - (100 - g),
                "other_high": high - (100 - g),
                "though_correct_low": low - (100 - c),
                "though_correct_high": high - (100 - c),
            }
        )
    return pd.DataFrame(rows)


def witness(retrieval: str = "misses") -> pd.DataFrame:
    """A complete made-up table of 600 runs that reproduces every published number of correctness and groundedness.

    It is *not* the paper's data: it is one of the many tables that nobody could tell from it by what was published.
    Correctness and groundedness are matched so that the total errors are as published (and the two blanks sum to
    `UNKNOWN_TOTAL_ERRORS_SUM`). `retrieval` says where the unknown retrieval misses are put: "misses", where the
    answers were hallucinated as far as the counts allow, or "hits", where they were not. Columns as `runs.Run`.
    """
    if retrieval not in ("misses", "hits"):
        raise ParameterError(f"retrieval cannot be {retrieval!r}", "misses or hits")
    correct, grounded = _judged()
    rows: list[dict[str, Any]] = []
    for place, name in enumerate(RETRIEVERS):
        made_up = (1 - grounded[:, 2 * place : 2 * place + 2]).sum(axis=1)
        order = np.argsort(-made_up if retrieval == "misses" else made_up, kind="stable")
        misses = set(order[: QUESTIONS - round(published.BY_RETRIEVER[name]["retrieved"].value)].tolist())
        for question, (column, generator) in itertools.product(range(QUESTIONS), enumerate(GENERATORS)):
            rows.append(
                {
                    "question": f"w{question + 1:03}",
                    "retriever": name,
                    "generator": generator,
                    "correct": bool(correct[question, 2 * place + column]),
                    "grounded": bool(grounded[question, 2 * place + column]),
                    "retrieved": question not in misses,
                }
            )
    return runs.table(rows)


_MEASURES: tuple[Judged, ...] = ("correct", "grounded")


@functools.cache
def _judged() -> tuple[Ints, Ints]:
    """Outcomes (100 × 6 each) of correctness and groundedness that print every reported statistic and total error."""
    factor = small_sample_factors()["dummies"]
    found = {name: next(tables_behind(reported_tests(name), sums_of(name), factor)) for name in _MEASURES}
    return _matched(found["correct"], found["grounded"])


def _matched(correct: Ints, grounded: Ints) -> tuple[Ints, Ints]:
    """Outcomes (100 × 6 each) of two tables of counts, paired so that correct-and-grounded is as published."""
    rows, columns = np.flatnonzero(correct), np.flatnonzero(grounded)
    shape = len(rows), len(columns)
    both = PATTERNS[rows][:, None, :] * PATTERNS[columns][None, :, :]
    known = [place for place, arm in enumerate(ARMS) if published.TOTAL_ERROR[arm] is not None]
    wanted = [QUESTIONS - cast("int", published.TOTAL_ERROR[ARMS[place]]) for place in known]
    unknown = [place for place in range(len(ARMS)) if place not in known]
    conditions: list[Any] = [np.repeat(np.eye(shape[0]), shape[1], axis=1), np.tile(np.eye(shape[1]), shape[0])]
    conditions += [both[:, :, known].reshape(-1, len(known)).T, both[:, :, unknown].sum(axis=2).reshape(1, -1)]
    rest = len(unknown) * QUESTIONS - published.UNKNOWN_TOTAL_ERRORS_SUM
    values = np.r_[correct[rows], grounded[columns], wanted, rest].astype(float)
    size = shape[0] * shape[1]
    result = milp(
        np.zeros(size),
        constraints=_equal(np.vstack(conditions).astype(float), values),
        integrality=np.ones(size),
        bounds=Bounds(0, QUESTIONS),
        options={"time_limit": 60.0},
    )
    if result.x is None:
        raise LimitError(f"no pairing was found: {result.message}", "run it on a quieter machine")
    pairs = np.rint(result.x).astype(np.int64)
    return (
        np.repeat(PATTERNS[np.repeat(rows, shape[1])], pairs, axis=0),
        np.repeat(PATTERNS[np.tile(columns, shape[0])], pairs, axis=0),
    )


def discordance() -> pd.DataFrame:
    """How many questions the two generators answered differently, by retriever: the bounds that the reports leave.

    Over every table that gives the reported test of the generator (and, for groundedness, its simple effect within
    Kanon 2), sum coding, factor `dummies`. The tests of two degrees of freedom are left out: the bounds are outer ones
    (adding the interaction takes half a minute and changes none of them). McNemar's exact test of the gap depends on
    this number alone. Columns: measure, retriever, gap (Gemini 3.1 Pro − GPT-5.2), low, high.
    """
    factor = small_sample_factors()["dummies"]
    rows: list[dict[str, Any]] = []
    for measure in _MEASURES:
        sums = sums_of(measure)
        tests = reported_tests(measure, ("generator",))
        own = [contrasts("generator", Coding(retriever=name)) for name in RETRIEVERS]
        found: list[list[tuple[int, int]]] = []
        for given in _narrowed(tests, sums, factor, marginals(sums)):
            limits = [given.bounds(_squares(contrast)[0]) for contrast in own]
            found.append([limit for limit in limits if limit is not None])
        for place, name in enumerate(RETRIEVERS):
            gap = int((own[place] @ np.asarray(sums))[0])
            low, high = min(item[place][0] for item in found), max(item[place][1] for item in found)
            rows.append({"measure": measure, "retriever": name, "gap": gap, "low": low, "high": high})
    return pd.DataFrame(rows)


# --- what a test that found nothing has shown ------------------------------------------------------------------------


@dataclass(frozen=True)
class Implied:
    """What a χ² of one degree of freedom implies about a difference, in percentage points."""

    difference: float
    standard_error: float
    low: float  # 95 % interval
    high: float
    margin: float  # the smallest equivalence margin that two one-sided tests at 5 % would have accepted


def implied(difference: float, statistic: float) -> Implied:
    """Standard error |d| / √χ², the 95 % interval d ± 1.96 SE and the margin |d| + 1.645 SE (Schuirmann 1987)."""
    if difference == 0 or statistic <= 0:
        raise ParameterError("a difference of 0 or a χ² of 0 implies no standard error", "use a non-zero difference")
    error = abs(difference) / float(np.sqrt(statistic))
    reach = float(norm.ppf(0.975)) * error
    return Implied(
        difference, error, difference - reach, difference + reach, abs(difference) + float(norm.ppf(0.95)) * error
    )


def implied_by(measure: Judged) -> Implied:
    """`implied` for the reported main effect of the generator, Gemini 3.1 Pro minus GPT-5.2."""
    difference = float((contrasts("generator") @ np.asarray(sums_of(measure)))[0]) / len(RETRIEVERS)
    return implied(difference, float(cast("str", published.test(measure, "generator").chi2)))


def judge_intervals(sizes: Sequence[int]) -> pd.DataFrame:
    """A judge printed as "99 % accurate", had it been checked on n items: exact 95 % intervals (Clopper–Pearson).

    One row for every n and every number right that prints as 99 %; an n with none is left out. Columns: n, right, low,
    high.
    """
    rows: list[dict[str, Any]] = []
    for n in sizes:
        for right in range(n + 1):
            if published.JUDGE_ACCURACY.holds(right / n):
                low, high = exact_interval(right, n)
                rows.append({"n": n, "right": right, "low": low, "high": high})
    return pd.DataFrame(rows, columns=["n", "right", "low", "high"])
