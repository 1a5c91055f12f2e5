"""What the paper published, as far as it could be read: aggregates only, each with the mark of its source.

Marks: P, read in the released code or on the data set's card; S, second-hand notes on the paper that agree with one
another; D, derived from P and S by arithmetic. The paper's full text could not be read: a number that is not here is
not known to us, and a blank (None) is a blank.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pandas as pd

from triptych.legal_rag.agreement import exact_interval

Mark = Literal["P", "S", "D"]
Effect = Literal["retriever", "generator", "interaction"]
Judged = Literal["correct", "grounded"]

PAPER = "arXiv 2603.01710"
QUESTIONS = 100  # P
RETRIEVERS = ("Kanon 2", "Text Embedding 3 Large", "Gemini Embedding 001")
GENERATORS = ("Gemini 3.1 Pro", "GPT-5.2")


@dataclass(frozen=True)
class Percent:
    """A percentage as printed, with the number of decimals that were printed."""

    value: float
    decimals: int = 1
    mark: Mark = "S"

    def holds(self, share: float) -> bool:
        """Whether a share in [0, 1] would be printed as this percentage (halves may go either way)."""
        return abs(100 * share - self.value) <= 0.5 * 10.0**-self.decimals + 1e-9


@dataclass(frozen=True)
class Wald:
    """A reported Wald test. `chi2` is None where only the p-value was found; `p_text` is the p-value as printed."""

    measure: Judged
    effect: Effect
    df: int
    chi2: str | None
    p_text: str
    mark: Mark = "S"


BY_RETRIEVER: dict[str, dict[str, Percent]] = {
    "Kanon 2": {"correct": Percent(94.0), "grounded": Percent(96.0), "retrieved": Percent(86.0)},
    "Text Embedding 3 Large": {"correct": Percent(76.5), "grounded": Percent(91.5), "retrieved": Percent(52.0)},
    "Gemini Embedding 001": {"correct": Percent(74.0), "grounded": Percent(87.0), "retrieved": Percent(53.0)},
}
BY_GENERATOR: dict[str, dict[str, Percent]] = {
    "Gemini 3.1 Pro": {"correct": Percent(82.3), "grounded": Percent(94.3)},
    "GPT-5.2": {"correct": Percent(80.7), "grounded": Percent(88.7)},
}
WALD = (
    Wald("correct", "retriever", 2, "28.63", "<.001"),
    Wald("correct", "generator", 1, "0.46", ".499"),
    Wald("correct", "interaction", 2, "0.08", ".962"),
    Wald("grounded", "retriever", 2, None, "<.001"),
    Wald("grounded", "generator", 1, "5.36", ".021"),
    Wald("grounded", "interaction", 2, "8.12", ".017"),
)
# GPT-5.2 minus Gemini 3.1 Pro on groundedness, percentage points, and the one p-value found
GAPS_GROUNDED = {"Kanon 2": 2, "Text Embedding 3 Large": -9, "Gemini Embedding 001": -10}  # S
GAP_P = {"Kanon 2": ".459", "Text Embedding 3 Large": None, "Gemini Embedding 001": None}  # S
# "Total error": runs that are not both correct and grounded (the taxonomy's complement), percent
TOTAL_ERROR: dict[tuple[str, str], int | None] = {  # S
    ("Kanon 2", "Gemini 3.1 Pro"): 8,
    ("Kanon 2", "GPT-5.2"): 9,
    ("Text Embedding 3 Large", "Gemini 3.1 Pro"): None,
    ("Text Embedding 3 Large", "GPT-5.2"): 30,
    ("Gemini Embedding 001", "Gemini 3.1 Pro"): None,
    ("Gemini Embedding 001", "GPT-5.2"): 35,
}
UNKNOWN_TOTAL_ERRORS_SUM = 54  # D, by a derivation that was not handed down; `audit.total_errors` says what is forced
GAINS = {"correct": 17.5, "grounded": 4.5, "retrieved": 34.0}  # S, the abstract's gains of Kanon 2, points
JUDGE_ACCURACY = Percent(99, decimals=0)  # S; on how many items was not found
# Correct / grounded of 100 in each cell [D]; `audit.cell_tables` derives them again
CELLS: dict[Judged, dict[tuple[str, str], int]] = {
    "correct": {
        ("Kanon 2", "Gemini 3.1 Pro"): 95,
        ("Kanon 2", "GPT-5.2"): 93,
        ("Text Embedding 3 Large", "Gemini 3.1 Pro"): 77,
        ("Text Embedding 3 Large", "GPT-5.2"): 76,
        ("Gemini Embedding 001", "Gemini 3.1 Pro"): 75,
        ("Gemini Embedding 001", "GPT-5.2"): 73,
    },
    "grounded": {
        ("Kanon 2", "Gemini 3.1 Pro"): 95,
        ("Kanon 2", "GPT-5.2"): 97,
        ("Text Embedding 3 Large", "Gemini 3.1 Pro"): 96,
        ("Text Embedding 3 Large", "GPT-5.2"): 87,
        ("Gemini Embedding 001", "Gemini 3.1 Pro"): 92,
        ("Gemini Embedding 001", "GPT-5.2"): 82,
    },
}


def test(measure: Judged, effect: Effect) -> Wald:
    """The reported test of an effect on a measure."""
    return next(item for item in WALD if item.measure == measure and item.effect == effect)


def rates() -> pd.DataFrame:
    """The paper's cells as rates of 100 questions: retriever, generator, measure, share, n, low, high, mark.

    Intervals are ours, exact, and take questions as independent. Retrieval has one row a retriever, generator "".
    """
    rows: list[tuple[str, str, str, int, str]] = []
    for measure, counts in CELLS.items():
        rows += [(*cell, measure, count, "D") for cell, count in counts.items()]
    for retriever, values in BY_RETRIEVER.items():
        found = values["retrieved"]
        rows.append((retriever, "", "retrieved", round(QUESTIONS * found.value / 100), found.mark))
    table = pd.DataFrame(rows, columns=["retriever", "generator", "measure", "count", "mark"])
    ends = [exact_interval(int(count), QUESTIONS) for count in table["count"]]
    table = table.assign(share=table["count"] / QUESTIONS, n=QUESTIONS)
    return table.assign(low=[low for low, _ in ends], high=[high for _, high in ends]).drop(columns="count")
