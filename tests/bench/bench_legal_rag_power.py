"""Exact McNemar power at n = 100: against the sum over every table, simulation, and the design's 80 % points."""

from __future__ import annotations

import math

from triptych.legal_rag import power

BAR = "legal-rag-power"
STUDY = "legal_rag"
KIND = "short"
UNIT = "largest deviation of simulated from enumerated power, in Monte-Carlo errors (inf: an 80 % point differs)"
TARGET = "<= 4"
POINTS = {0.10: 9, 0.15: 11, 0.20: 13, 0.25: 14.5, 0.30: 16}  # discordance → detectable points, to the nearest half


def enumerated(n: int, discordance: float, difference: float) -> float:
    """The multinomial summed over every table with b and c discordant questions that the exact test rejects."""
    first, second = (discordance + difference) / 2, (discordance - difference) / 2
    total = 0.0
    for b in range(n + 1):
        for c in range(n + 1 - b):
            tail = sum(math.comb(b + c, k) for k in range(min(b, c) + 1)) / 2 ** (b + c)
            if 2 * tail <= 0.05:
                same = (1 - discordance) ** (n - b - c)
                total += math.comb(n, b) * math.comb(n - b, c) * first**b * second**c * same
    return total


def measure() -> float:
    """Over the five discordances, at their detectable differences."""
    worst = 0.0
    for discordance, points in POINTS.items():
        if round(200 * (power.detectable(100, discordance) or 0)) / 2 != points:
            return float("inf")
        exact = enumerated(100, discordance, points / 100)
        found = power.simulate(100, discordance, points / 100, draws=20_000)
        worst = max(worst, abs(found.power - exact) / math.sqrt(exact * (1 - exact) / found.draws))
    return worst
