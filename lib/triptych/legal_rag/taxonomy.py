"""Which part of the system failed? The paper's decomposition of errors, and how much of it is the order of its rules.

The paper asks, in this order: not grounded → hallucination (even if the answer is correct); grounded, not correct and
the gold passage not retrieved → retrieval error; grounded, not correct and retrieved → reasoning error; else correct.
Whatever comes first takes the runs that fit several names, so the shares belong partly to the order. The set of runs
that are in order does not depend on it, and neither does the total error.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, Literal, cast

import numpy as np
import pandas as pd
import statsmodels.api as sm

from triptych.errors import ParameterError
from triptych.legal_rag import runs
from triptych.legal_rag.agreement import exact_interval

Kind = Literal["hallucination", "retrieval error", "reasoning error"]
PAPER: tuple[Kind, ...] = ("hallucination", "retrieval error", "reasoning error")
CORRECT, UNPARSED = "correct", "unparsed"
KINDS = (CORRECT, *PAPER, UNPARSED)
UNANSWERABLE = ("right abstention", "unwarranted answer", UNPARSED)


def classify(frame: pd.DataFrame, order: Sequence[Kind] = PAPER) -> pd.Series:
    """The kind of every run, by rules tried in `order`; runs whose verdict could not be read are "unparsed".

    On its own each rule reads: hallucination g = 0; retrieval error c = 0 and r = 0; reasoning error c = 0 and r = 1.
    Raises DataError for unanswerable questions (they have no r; see `unanswerable`), ParameterError for an order that
    leaves a rule out.
    """
    if sorted(order) != sorted(PAPER):
        raise ParameterError(f"{tuple(order)} is not an order of {', '.join(PAPER)}", "name each once")
    runs.only_answerable(frame)
    correct, grounded, retrieved = (
        frame[name].fillna(False).astype(bool) for name in ("correct", "grounded", "retrieved")
    )
    rules = {
        "hallucination": ~grounded,
        "retrieval error": ~correct & ~retrieved,
        "reasoning error": ~correct & retrieved,
    }
    unparsed = frame["verdict"] == UNPARSED
    kinds = np.select([unparsed, *(rules[name] for name in order)], [UNPARSED, *order], default=CORRECT)
    return pd.Series(kinds, index=frame.index, name="kind")


def decomposition(frame: pd.DataFrame, order: Sequence[Kind] = PAPER) -> pd.DataFrame:
    """Runs by arm and kind: retriever, generator, kind, runs, n, share, low, high (exact 95 % intervals).

    Every kind is listed in every arm, also with 0 runs. The interval takes runs as independent: with repeats it is too
    narrow, and the paired tests are the ones to compare arms by.
    """
    kinds = classify(frame, order)
    rows: list[dict[str, Any]] = []
    for arm, part in frame.assign(kind=kinds).groupby(["retriever", "generator"], sort=False):
        retriever, generator = cast("tuple[str, str]", arm)
        for kind in KINDS:
            count, n = part["kind"].tolist().count(kind), len(part)
            low, high = exact_interval(count, n)
            rows.append(
                {
                    "retriever": retriever,
                    "generator": generator,
                    "kind": kind,
                    "runs": count,
                    "n": n,
                    "share": count / n,
                    "low": low,
                    "high": high,
                }
            )
    return pd.DataFrame(rows)


def order_sensitivity(frame: pd.DataFrame) -> pd.DataFrame:
    """The decomposition under every order of the rules: order, retriever, generator, kind, runs.

    The two rules on c exclude one another, so that only the place of "hallucination" among them matters.
    """
    tables = [
        decomposition(frame, order)[["retriever", "generator", "kind", "runs"]].assign(order=" → ".join(order))
        for order in itertools.permutations(PAPER)
    ]
    return pd.concat(tables, ignore_index=True).reindex(columns=["order", "retriever", "generator", "kind", "runs"])


def unanswerable(frame: pd.DataFrame) -> pd.DataFrame:
    """Runs on questions that the corpus cannot answer: retriever, generator, kind, runs, n, share, low, high.

    Abstaining is right; any answer is unwarranted; an unread verdict is its own outcome. Empty when there are none.
    """
    part = frame.loc[~frame["answerable"].to_numpy(dtype=bool)]
    unparsed = (part["verdict"] == UNPARSED).to_numpy()
    abstained = part["abstained"].fillna(False).to_numpy(dtype=bool)
    kinds = np.select([unparsed, abstained], [UNPARSED, UNANSWERABLE[0]], default=UNANSWERABLE[1])
    rows: list[dict[str, Any]] = []
    for arm, group in part.assign(kind=kinds).groupby(["retriever", "generator"], sort=False):
        retriever, generator = cast("tuple[str, str]", arm)
        for kind in UNANSWERABLE:
            count, n = group["kind"].tolist().count(kind), len(group)
            low, high = exact_interval(count, n)
            row = {"retriever": retriever, "generator": generator, "kind": kind, "runs": count, "n": n}
            rows.append({**row, "share": count / n, "low": low, "high": high})
    return pd.DataFrame(rows, columns=["retriever", "generator", "kind", "runs", "n", "share", "low", "high"])


def conditional_hallucination(frame: pd.DataFrame, oracle: str | None = None) -> pd.DataFrame:
    """How often each generator hallucinates (g = 0) given a retrieval hit, given a miss, and with oracle context.

    Columns: generator, given ("hit", "miss", "oracle"), hallucinated, n, share, low, high (exact). `oracle` names the
    retriever whose context is the gold passages; its runs are not counted as hits. The comparison of hit and miss is
    not causal: hard questions are missed more often (see `miss_effect`). Unparsed verdicts are counted as n less:
    their number stands in `unparsed`.
    """
    if oracle is not None and oracle not in set(frame["retriever"]):
        raise ParameterError(
            f"no retriever is called {oracle!r}", f"one of {', '.join(sorted(set(frame['retriever'])))}"
        )
    runs.only_answerable(frame)
    hit = frame["retrieved"].astype(bool).to_numpy()
    given = np.where(hit, "hit", "miss")
    if oracle is not None:
        given = np.where((frame["retriever"] == oracle).to_numpy(), "oracle", given)
    rows: list[dict[str, Any]] = []
    conditions = ("hit", "miss") if oracle is None else ("hit", "miss", "oracle")
    for generator, part in frame.assign(given=given).groupby("generator", sort=False):
        for condition in conditions:
            chosen = part[part["given"] == condition]
            read = chosen[chosen["verdict"] != UNPARSED]
            count, n = int((~np.asarray(read["grounded"], dtype=bool)).sum()), len(read)
            low, high = exact_interval(count, n) if n else (np.nan, np.nan)
            row = {"generator": generator, "given": condition, "hallucinated": count, "n": n}
            share = count / n if n else np.nan
            rows.append({**row, "share": share, "low": low, "high": high, "unparsed": len(chosen) - n})
    return pd.DataFrame(rows)


def miss_effect(frame: pd.DataFrame) -> pd.DataFrame:
    """Hallucination after a miss minus after a hit, within questions.

    Least squares of 1 − g on 1 − r with a fixed effect a question, clustered on the question: only questions that some
    retriever found and another missed (`informative`) say anything, so a question's difficulty cancels. A generator for
    which no question is informative has blanks. A difference that is the same in every question (nought, where all
    runs are grounded) stands alone: without variation no uncertainty can be estimated, and 0 ± 0 would claim that there
    is none. Columns: generator, difference, se, low, high, p, informative.
    """
    rows: list[dict[str, Any]] = []
    for generator, part in runs.answerable(frame).groupby("generator", sort=False):
        read = part.loc[(part["verdict"] != UNPARSED).to_numpy()]
        by = pd.factorize(read["question"])[0]
        flags = 1 - read[["grounded", "retrieved"]].astype(float)
        inside = flags - flags.groupby(by).transform("mean")
        informative = len(set(by[(inside["retrieved"].abs() > 1e-9).to_numpy()]))
        row: dict[str, Any] = {"generator": generator, "difference": None, "se": None, "low": None, "high": None}
        row |= {"p": None, "informative": informative}
        if informative > 1:
            model = sm.OLS(inside["grounded"].to_numpy(), inside["retrieved"].to_numpy())
            found: Any = model.fit(cov_type="cluster", cov_kwds={"groups": by})
            row["difference"] = found.params[0]
            if found.bse[0] > 1e-9:
                low, high = found.conf_int()[0]
                row |= {"se": found.bse[0], "low": low, "high": high, "p": found.pvalues[0]}
        rows.append(row)
    return pd.DataFrame(rows)
