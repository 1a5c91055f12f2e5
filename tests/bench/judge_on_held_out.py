"""Shared by the benches of the rubric judge: its verdicts on the held-out half of the perturbation set."""

from __future__ import annotations

import pandas as pd

from triptych.legal_rag import judge_validity, perturbations, questions
from triptych.legal_rag.judge_rubric import RubricJudge

READS = (
    "lib/triptych/legal_rag/questions.jsonl",
    "lib/triptych/legal_rag/perturbations.jsonl",
    "lib/triptych/legal_rag/judge_rubric.json",
    "tests/bench/judge_on_held_out.py",
)


def verdicts() -> pd.DataFrame:
    """One row an answer; the judge was fitted on the other half."""
    items = perturbations.only(perturbations.load(), "held-out")
    return judge_validity.examine(RubricJudge(), items, questions.load())
