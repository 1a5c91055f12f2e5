"""Lexical distance of the distant phrasings: median share of a question's content stems found in its gold passages."""

from __future__ import annotations

from triptych.legal_rag import benchmark, score, validate

BAR = "legal-rag-lexical-distance"
STUDY = "legal_rag"
KIND = "short"
UNIT = "median share of content stems in the gold passages"
READS = ("lib/triptych/legal_rag/questions.jsonl",)
TARGET = "<= 0.30"


def measure() -> float:
    """The median over all answerable questions, passages of 200 tokens."""
    bench = benchmark.eu_law()
    gold = {item.id: " ".join(p.text for p in score.gold_passages(item, bench.passages)) for item in bench.questions}
    return float(validate.statistics(bench.questions, gold, ["distant"])["share"].median())
