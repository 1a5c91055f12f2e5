"""Made-up tables of runs for the tests of the inference: of known truth, or drawn by hypothesis."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from triptych.legal_rag import runs

RETRIEVERS, GENERATORS = ("alpha", "beta", "gamma"), ("one", "two")


def row(question: str = "q1", retriever: str = "alpha", generator: str = "one", **other: Any) -> dict[str, Any]:
    """A valid row, right in every respect, with what the test changes."""
    right = {"correct": True, "grounded": True, "retrieved": True}
    return {"question": question, "retriever": retriever, "generator": generator, **right, **other}


def factorial(outcomes: np.ndarray, **columns: Any) -> pd.DataFrame:
    """A full factorial from outcomes (questions × 6, retriever-major) of `correct`; the rest all right."""
    return runs.table(
        row(
            f"q{question:03}",
            retriever,
            generator,
            correct=bool(outcomes[question, 2 * i + j]),
            gold=f"g{question // 2}",
            **columns,
        )
        for question in range(len(outcomes))
        for i, retriever in enumerate(RETRIEVERS)
        for j, generator in enumerate(GENERATORS)
    )


def correlated(n: int, shares: list[float], seed: int, strength: float = 1.0) -> np.ndarray:
    """Outcomes (n × cells) with these expected shares, correlated within questions by a normal copula."""
    from scipy.stats import norm

    random = np.random.default_rng(seed)
    common, own = random.normal(size=(n, 1)), random.normal(size=(n, len(shares)))
    latent = (strength * common + own) / np.sqrt(strength**2 + 1)
    return (latent < norm.ppf(shares)).astype(int)
