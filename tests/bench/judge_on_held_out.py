"""Shared by the benches of the rubric judge: its verdicts on the second set of answers to held-out questions."""

from __future__ import annotations

import pandas as pd

from triptych.legal_rag import judge_validity, questions
from triptych.legal_rag.judge_rubric import RubricJudge

READS = (
    "lib/triptych/legal_rag/questions.jsonl",
    "lib/triptych/legal_rag/perturbations_second.jsonl",
    "lib/triptych/legal_rag/judge_rubric.json",
    "tests/bench/judge_on_held_out.py",
)


def verdicts() -> pd.DataFrame:
    """One row an answer; the judge was fitted on answers to other questions, and no earlier one met these answers."""
    part = judge_validity.SECOND
    return judge_validity.examine(RubricJudge(), judge_validity.answers(part), questions.load(), part)
