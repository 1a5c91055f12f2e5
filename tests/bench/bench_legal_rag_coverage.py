"""Coverage of the intervals that carry a judge's errors, on simulated runs of known truth."""

from __future__ import annotations

import math

import numpy as np

from triptych.legal_rag import judge_error
from triptych.legal_rag.judge_error import Checked

BAR = "legal-rag-judge-coverage"
STUDY = "legal_rag"
KIND = "short"
UNIT = "largest deviation from 95 % coverage, in Monte-Carlo errors"
TARGET = "<= 4"
DRAWS = 1000


def measure() -> float:
    """Corrected share (150 runs; 100 + 100 validated) and prediction-powered mean (500 judged, 100 checked)."""
    random = np.random.default_rng(1)
    covered = np.zeros(2)
    for _ in range(DRAWS):
        checked = [Checked(int(random.binomial(100, p)), 100) for p in (0.9, 0.85)]
        judged = int(random.binomial(150, 0.8 * 0.9 + 0.2 * 0.15))
        share = judge_error.corrected_share(judged, 150, checked[0], checked[1])
        truth = random.random(600) < 0.7
        said = np.where(random.random(600) < 0.9, truth, random.random(600) < 0.9)
        mean = judge_error.prediction_powered(said[100:], said[:100], truth[:100])
        covered += [share.low <= 0.8 <= share.high, mean.low <= 0.7 <= mean.high]
    return float(np.abs(covered / DRAWS - 0.95).max() / math.sqrt(0.95 * 0.05 / DRAWS))
