"""What n questions can show: the power of McNemar's exact test, by formula and by simulation.

Two arms answer the same n questions. A share ψ of the questions is answered rightly by one arm only (the discordance),
and the arms' accuracies differ by δ; so p₁₀ = (ψ + δ)/2 and p₀₁ = (ψ − δ)/2. The number of discordant pairs is binomial
(n, ψ), and given it, those in favour of the first arm are binomial with share p₁₀ / ψ: the exact power is a double sum
(Duffy 1984).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import brentq
from scipy.stats import binom

from triptych.errors import ParameterError


def mcnemar_power(n: int, discordance: float, difference: float, alpha: float = 0.05) -> float:
    """The chance that McNemar's exact test rejects at `alpha`. Raises ParameterError unless |δ| ≤ ψ ≤ 1."""
    _check(n, discordance, difference)
    if discordance == 0:
        return 0.0
    share = (discordance + difference) / (2 * discordance)
    pairs = np.arange(n + 1)
    critical = binom.ppf(alpha / 2, pairs, 0.5)  # the test rejects up to here, or up to one less
    critical = np.where(binom.cdf(critical, pairs, 0.5) <= alpha / 2, critical, critical - 1)
    rejected = binom.cdf(critical, pairs, share) + binom.sf(pairs - critical - 1, pairs, share)
    return float((binom.pmf(pairs, n, discordance) * np.where(critical >= 0, rejected, 0.0)).sum())


@dataclass(frozen=True)
class Simulated:
    """A simulated rejection rate and its Monte-Carlo standard error."""

    power: float
    error: float
    draws: int


def simulate(
    n: int, discordance: float, difference: float, alpha: float = 0.05, draws: int = 10_000, seed: int = 0
) -> Simulated:
    """The same by drawing tables of n questions: slower, and an independent check of the formula."""
    _check(n, discordance, difference)
    random = np.random.default_rng(seed)
    both = [(discordance + difference) / 2, (discordance - difference) / 2, 1 - discordance]
    tables = random.multinomial(n, np.clip(both, 0, 1), size=draws)
    favour, against = tables[:, 0], tables[:, 1]
    p = np.minimum(1.0, 2 * binom.cdf(np.minimum(favour, against), favour + against, 0.5))
    power = float((p <= alpha).mean())
    return Simulated(power, float(np.sqrt(power * (1 - power) / draws)), draws)


def detectable(n: int, discordance: float, power: float = 0.8, alpha: float = 0.05) -> float | None:
    """The smallest difference that is found with the wanted power; None when even δ = ψ is not enough."""
    if mcnemar_power(n, discordance, discordance, alpha) < power:
        return None
    found: Any = brentq(lambda gap: mcnemar_power(n, discordance, gap, alpha) - power, 0.0, discordance, xtol=1e-6)
    return float(found)


def questions_needed(discordance: float, difference: float, power: float = 0.8, most: int = 20_000) -> int | None:
    """The smallest n from which on bisection finds the wanted power; None when `most` is not enough.

    Exact power is a saw-tooth in n, so a slightly smaller n may reach the power too, by luck of rounding.
    """
    low, high = 1, most
    if mcnemar_power(high, discordance, difference) < power:
        return None
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if mcnemar_power(middle, discordance, difference) >= power else (middle + 1, high)
    return low


def curve(n: int, discordances: Sequence[float], differences: Sequence[float]) -> pd.DataFrame:
    """Exact power over a grid; columns n, discordance, difference, power. Impossible pairs (δ > ψ) are left out."""
    rows = [
        {"n": n, "discordance": psi, "difference": gap, "power": mcnemar_power(n, psi, gap)}
        for psi in discordances
        for gap in differences
        if gap <= psi + 1e-12
    ]
    return pd.DataFrame(rows, columns=["n", "discordance", "difference", "power"])


def _check(n: int, discordance: float, difference: float) -> None:
    if n < 1 or not abs(difference) - 1e-9 <= discordance <= 1:
        raise ParameterError(
            f"n = {n}, discordance {discordance}, difference {difference} cannot be",
            "n ≥ 1 and |difference| ≤ discordance ≤ 1",
        )
