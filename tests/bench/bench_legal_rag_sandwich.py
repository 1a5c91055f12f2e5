"""The linear probability model against least squares and a clustered sandwich written out in numpy."""

from __future__ import annotations

from importlib import resources

import numpy as np
import pandas as pd
import statsmodels.api as sm

from triptych.legal_rag import audit, runs
from triptych.legal_rag import linear_probability as lpm

BAR = "legal-rag-lpm-sandwich"
STUDY = "legal_rag"
KIND = "short"
UNIT = "largest difference of a Wald χ² (inf when a digit of Petersen's table differs)"
TARGET = "<= 1e-8"


def sandwich(x: np.ndarray, y: np.ndarray, groups: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Slopes and their covariance clustered on `groups`, with the factor G/(G − 1) · (N − 1)/(N − K)."""
    bread = np.linalg.inv(x.T @ x)
    slopes = bread @ x.T @ y
    scores = x * (y - x @ slopes)[:, None]
    summed = np.stack([scores[groups == group].sum(axis=0) for group in np.unique(groups)])
    n, k, g = *x.shape, len(summed)
    return slopes, g / (g - 1) * (n - 1) / (n - k) * bread @ summed.T @ summed @ bread


def petersen_agrees() -> bool:
    """Whether every printed digit of Petersen's firm-clustered regression comes out (his page: test_data.htm)."""
    path = resources.files("statsmodels.stats.tests") / "test_data.txt"
    data = pd.read_csv(str(path), sep=r"\s+", header=None, names=["firm", "year", "x", "y"])
    found = lpm.clustered(
        sm.OLS(data["y"].to_numpy(), sm.add_constant(data[["x"]].to_numpy())), data["firm"].to_numpy()
    )
    printed = [f"{value:.4f}" for value in (*found.params, *found.bse)]
    return printed == ["0.0297", "1.0348", "0.0670", "0.0506"]


def measure() -> float:
    """Over both measures of the audit's witness and its three effects, sum coding."""
    if not petersen_agrees():
        return float("inf")
    frame, worst = audit.witness(), 0.0
    cells = {arm: place for place, arm in enumerate(audit.ARMS)}
    place = [cells[arm] for arm in zip(frame["retriever"], frame["generator"], strict=True)]
    dummies = pd.get_dummies(frame["question"], drop_first=True).to_numpy(dtype=float)
    codes = np.kron([[1, 0], [0, 1], [-1, -1]], [[1], [1]]), np.kron([[1], [1], [1]], [[1], [-1]])
    own = np.column_stack([*codes, codes[0] * codes[1]])[place]
    x = np.column_stack([np.ones(len(frame)), dummies, own])
    groups = pd.factorize(frame["question"])[0]
    for name in ("correct", "grounded"):
        slopes, covariance = sandwich(x, runs.outcome(frame, name), groups)
        found = lpm.fit(frame, name).wald().set_index("effect")["chi2"]
        for effect, chosen in (("retriever", [-5, -4]), ("generator", [-3]), ("interaction", [-2, -1])):
            part = slopes[chosen]
            value = part @ np.linalg.inv(covariance[np.ix_(chosen, chosen)]) @ part
            worst = max(worst, abs(float(found[effect]) - float(value)))
    return worst
