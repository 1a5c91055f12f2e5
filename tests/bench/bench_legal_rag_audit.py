"""The audit's answers: reported Wald tests that one table of runs reproduces, verified by the regression itself."""

from __future__ import annotations

from triptych.legal_rag import audit, published
from triptych.legal_rag import linear_probability as lpm

BAR = "legal-rag-audit"
STUDY = "legal_rag"
KIND = "short"
UNIT = "reported Wald tests of six that one and the same witness table reproduces"
TARGET = "== 6"


def measure() -> float:
    """Fit the paper's model to the witness and compare what is printed, χ² and p-value."""
    frame, same = audit.witness(), 0
    for test in published.WALD:
        row = lpm.fit(frame, test.measure).wald().set_index("effect").loc[test.effect]
        p = row["p"] < 0.001 if test.p_text == "<.001" else f"{row['p']:.3f}"[1:] == test.p_text
        same += p and test.chi2 in (None, f"{row['chi2']:.2f}")
    return float(same)
