"""The paper's linear probability model, and what a statistician asks of it next.

y (0 or 1) on retriever × generator with a fixed effect a question, ordinary least squares, covariance clustered on the
question; Wald χ² for the retriever, the generator and their interaction; the generator's simple effect within each
retriever. Which coding the paper used is not published, so both are here: under sum coding a main effect is averaged
over the other factor, under treatment coding it is the effect at that factor's reference level. Effects are on the
probability scale: 0.09 is nine points.

The covariance comes from statsmodels: `cluster` (CRV1), `cluster-crv3` and `cluster-jk` (the jackknife of MacKinnon,
Nielsen and Webb 2023). The last two leave out one cluster at a time, which a dummy a question does not survive, so they
need the question effects *absorbed*: subtracted from both sides first (Frisch–Waugh–Lovell); the slopes are the same.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

import numpy as np
import numpy.typing as npt
import pandas as pd
import statsmodels.api as sm
import statsmodels.formula.api as smf
from statsmodels.genmod.cov_struct import Exchangeable
from statsmodels.genmod.families import Binomial
from statsmodels.tools.sm_exceptions import ValueWarning

from triptych.errors import DataError, ParameterError
from triptych.legal_rag import runs
from triptych.legal_rag.runs import Measure, Unparsed

CodingName = Literal["sum", "treatment"]
Covariance = Literal["cluster", "cluster-crv3", "cluster-jk"]
EFFECTS = ("retriever", "generator", "interaction")


@dataclass(frozen=True)
class Model:
    """How the linear probability model is fitted; the defaults are what the audit finds the paper to have done.

    `absorb`: subtract the question effects instead of giving each question a dummy. It changes no slope, but the
    small-sample factor (N − 1) / (N − K) counts fewer columns: with 100 questions × 6 arms χ² grows by a fifth.
    `cluster`: "question", or "gold" to cluster questions that share their gold passage. `correction`: False leaves the
    small-sample factor out.
    """

    coding: CodingName = "sum"
    covariance: Covariance = "cluster"
    cluster: Literal["question", "gold"] = "question"
    absorb: bool = False
    correction: bool = True

    def __post_init__(self) -> None:
        if self.covariance != "cluster" and not self.absorb:
            raise ParameterError(
                f"{self.covariance} leaves out whole clusters, which a dummy a question does not survive",
                "Model(absorb=True, …): the same slopes",
            )


PAPER = Model()


@dataclass(frozen=True)
class Fit:
    """A fitted model: `slopes` (name → estimate), their `covariance`, and the design's cell rows to combine them."""

    model: Model
    slopes: pd.Series
    covariance: npt.NDArray[np.float64]
    retrievers: tuple[str, ...]
    generators: tuple[str, ...]
    clusters: int
    result: Any  # statsmodels' own

    def wald(self) -> pd.DataFrame:
        """Wald χ² of the three effects: effect, df, chi2, p. Under treatment coding the first two are simple ones."""
        if self.model.absorb:
            rows = [(effect, *self._test(self._selection(effect))) for effect in EFFECTS]
        else:
            with warnings.catch_warnings():  # the term of the question dummies has no full rank, and is not reported
                warnings.simplefilter("ignore", ValueWarning)
                table = self.result.wald_test_terms(skip_single=False, scalar=True).table
            names = {effect: next(term for term in table.index if _effect(term) == effect) for effect in EFFECTS}
            rows = [
                (effect, int(row["df_constraint"]), float(row["statistic"]), float(row["pvalue"]))
                for effect, row in ((effect, table.loc[name]) for effect, name in names.items())
            ]
        return pd.DataFrame(rows, columns=["effect", "df", "chi2", "p"])

    def simple_effects(self) -> pd.DataFrame:
        """The generator within each retriever, as each pair of generators: difference, se, z, chi2, p, low, high."""
        return self._pairs(self.retrievers, self.generators, within="retriever")

    def retriever_contrasts(self) -> pd.DataFrame:
        """The retrievers within each generator, as each pair of retrievers; columns as `simple_effects`."""
        return self._pairs(self.generators, self.retrievers, within="generator")

    def _pairs(self, outer: Sequence[str], inner: Sequence[str], within: str) -> pd.DataFrame:
        rows: list[dict[str, Any]] = []
        for fixed in outer:
            for place, first in enumerate(inner):
                for second in inner[place + 1 :]:
                    arms = [(fixed, name) if within == "retriever" else (name, fixed) for name in (first, second)]
                    row = self._cell(*arms[0]) - self._cell(*arms[1])
                    found = self.result.t_test(row)
                    low, high = (float(end) for end in found.conf_int(0.05)[0])
                    z = float(np.squeeze(found.tvalue))
                    rows.append(
                        {
                            within: fixed,
                            "first": first,
                            "second": second,
                            "difference": float(np.squeeze(found.effect)),
                            "se": float(np.squeeze(found.sd)),
                            "z": z,
                            "chi2": z * z,
                            "p": float(np.squeeze(found.pvalue)),
                            "low": low,
                            "high": high,
                        }
                    )
        return pd.DataFrame(rows)

    def _cell(self, retriever: str, generator: str) -> npt.NDArray[np.float64]:
        """The design row of a cell, question effects zero."""
        row = np.zeros(len(self.slopes))
        for place, name in enumerate(self.slopes.index):
            row[place] = _value(str(name), retriever, generator, self)
        return row

    def _selection(self, effect: str) -> npt.NDArray[np.float64]:
        places = [place for place, name in enumerate(self.slopes.index) if _effect(str(name)) == effect]
        return np.eye(len(self.slopes))[places]

    def _test(self, rows: npt.NDArray[np.float64]) -> tuple[int, float, float]:
        found = self.result.wald_test(rows, scalar=True)
        return len(rows), float(found.statistic), float(found.pvalue)


def fit(frame: pd.DataFrame, measure: Measure, model: Model = PAPER, unparsed: Unparsed = "wrong") -> Fit:
    """Fit the linear probability model to a table of runs (`runs.Run`), answerable questions only.

    Repeats are rows of their own inside their question's cluster: they add no independent question, only a surer
    outcome of each cell. Judges, chunkers and phrasings are not: fit each apart, or ParameterError (`runs.unpooled`).
    Raises DataError when a question or a cell has too few runs for the model, when there are fewer than two levels of a
    factor or fewer than three clusters, or gold passages are wanted and missing.
    """
    data = _prepared(frame, measure, model.cluster, unparsed)
    formula = _formula(data, model.coding)
    groups = data["cluster"].cat.codes.to_numpy()
    if model.absorb:
        design = smf.ols(formula, data)
        columns = pd.DataFrame(design.exog, columns=design.exog_names).drop(columns="Intercept")
        by = data["question"].cat.codes.to_numpy()
        inside = columns - columns.groupby(by).transform("mean")
        left = data["y"] - data["y"].groupby(by).transform("mean")
        result = clustered(sm.OLS(left.to_numpy(), inside), groups, model)
    else:
        result = clustered(smf.ols(f"{formula} + C(question)", data), groups, model)
    if np.linalg.matrix_rank(result.model.exog) < result.model.exog.shape[1]:
        raise DataError("some effect cannot be told from another", "every question needs runs in several cells")
    levels = {name: tuple(dict.fromkeys(frame[name])) for name in _FACTORS}
    covariance = np.asarray(result.cov_params())
    clusters = int(groups.max()) + 1
    return Fit(model, result.params, covariance, levels["retriever"], levels["generator"], clusters, result)


def clustered(design: Any, groups: npt.NDArray[np.int64], model: Model = PAPER) -> Any:
    """statsmodels' results of a least-squares design under the model's clustered covariance, z and χ² not t and F."""
    return design.fit(cov_type=model.covariance, cov_kwds={"groups": groups, "use_correction": model.correction})


VARIANTS: dict[str, Model] = {
    "as the paper (CRV1, dummies)": PAPER,
    "no small-sample factor (CR0)": Model(correction=False),
    "question effects absorbed (CRV1)": Model(absorb=True),
    "CRV3": Model(covariance="cluster-crv3", absorb=True),
    "cluster jackknife": Model(covariance="cluster-jk", absorb=True),
    "clustered on gold passage": Model(cluster="gold"),
    "treatment coding": Model(coding="treatment"),
}


def variants(
    frame: pd.DataFrame, measure: Measure, models: dict[str, Model] | None = None, unparsed: Unparsed = "wrong"
) -> pd.DataFrame:
    """`Fit.wald` under each variant: variant, effect, df, chi2, p. Without gold passages, that variant is left out."""
    chosen = VARIANTS if models is None else models
    if _without_gold(frame):
        chosen = {name: model for name, model in chosen.items() if model.cluster != "gold"}
    tables = [fit(frame, measure, model, unparsed).wald().assign(variant=name) for name, model in chosen.items()]
    return pd.concat(tables, ignore_index=True).reindex(columns=["variant", "effect", "df", "chi2", "p"])


@dataclass(frozen=True)
class Gee:
    """A GEE logit: Wald χ² of the effects, and the estimated correlation within a question."""

    wald: pd.DataFrame
    correlation: float


def gee(frame: pd.DataFrame, measure: Measure, unparsed: Unparsed = "wrong") -> Gee:
    """Logit by generalised estimating equations: exchangeable within a question, bias-reduced covariance, sum coding.

    The covariance is Mancl and DeRouen's (2001), which statsmodels calls `bias_reduced`. Raises DataError when a cell
    is all right or all wrong: its log odds are infinite, and the linear model is the honest choice.
    """
    data = _prepared(frame, measure, "question", unparsed)
    outcomes = data["y"].groupby([frame["retriever"].to_numpy(), frame["generator"].to_numpy()])
    for cell, part in cast("Iterable[tuple[Any, Any]]", outcomes):
        if part.min() == part.max():
            name, which = " × ".join(cast("tuple[str, str]", cell)), "right" if part.iloc[0] else "wrong"
            raise DataError(f"every answer of {name} is {which}: no finite log odds", "use the linear model")
    data = data.sort_values("question", kind="stable").reset_index(drop=True)
    groups = data["question"].cat.codes.to_numpy()
    design = smf.ols(_formula(data, "sum"), data)
    structure, names = Exchangeable(), cast("list[str]", design.exog_names)
    result: Any = sm.GEE(design.endog, design.exog, groups=groups, family=Binomial(), cov_struct=structure).fit(
        cov_type="bias_reduced"
    )
    rows: list[tuple[str, int, float, float]] = []
    for effect in EFFECTS:
        places = [place for place, name in enumerate(names) if _effect(name) == effect]
        found = result.wald_test(np.eye(len(names))[places], scalar=True)
        rows.append((effect, len(places), float(found.statistic), float(found.pvalue)))
    return Gee(pd.DataFrame(rows, columns=["effect", "df", "chi2", "p"]), float(structure.dep_params))


def _without_gold(frame: pd.DataFrame) -> bool:
    return bool(frame["gold"].isna().to_numpy().any())


def _prepared(frame: pd.DataFrame, measure: Measure, cluster: str, unparsed: Unparsed) -> pd.DataFrame:
    runs.unpooled(frame)
    if cluster == "gold" and _without_gold(frame):
        raise DataError("some run has no gold passage to cluster on", "fill the column gold, or cluster on question")
    data = pd.DataFrame(
        {
            "y": runs.outcome(frame, measure, unparsed),
            # by number and in order of appearance: a name may hold what a formula would trip over
            **{name: pd.Categorical(pd.factorize(frame[name])[0].astype(str)) for name in ("question", *_FACTORS)},
            "cluster": pd.Categorical(frame[cluster]),
        }
    )
    for name in _FACTORS:
        if len(data[name].cat.categories) < 2:
            raise DataError(f"the model needs two or more levels of {name}", "compare single arms with `paired`")
    if len(data["cluster"].cat.categories) < 3:
        raise DataError("clustered standard errors need three or more clusters", "more questions")
    present = set(zip(frame["retriever"], frame["generator"], strict=True))
    for cell in itertools.product(*(dict.fromkeys(frame[name]) for name in _FACTORS)):
        if cell not in present:
            raise DataError(f"no run in the cell {' × '.join(cell)}", "the design must be a full factorial")
    return data


_FACTORS = ("retriever", "generator")


def _formula(data: pd.DataFrame, coding: CodingName) -> str:
    contrast = {"sum": "Sum", "treatment": "Treatment"}[coding]
    return f"y ~ C(retriever, {contrast}) * C(generator, {contrast})"


def _effect(term: str) -> str | None:
    if ":" in term:
        return "interaction"
    return next((name for name in _FACTORS if term.startswith(f"C({name},")), None)


def _value(column: str, retriever: str, generator: str, fitted: Fit) -> float:
    """The entry of a design column for a cell: the product of its factors' codes; 0 for question dummies."""
    if column == "Intercept" or column.startswith("C(question"):
        return float(column == "Intercept")
    value = 1.0
    for part in column.split(":"):
        levels = fitted.retrievers if part.startswith("C(retriever") else fitted.generators
        place = levels.index(retriever if part.startswith("C(retriever") else generator)
        kind, _, level = part.rpartition("[")[2].rstrip("]").partition(".")
        value *= -1.0 if kind == "S" and place == len(levels) - 1 else float(place == int(level))
    return value
