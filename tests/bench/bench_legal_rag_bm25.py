"""BM25's recall@5 on the distant phrasings: word matching must not be enough to answer the set."""

from __future__ import annotations

from triptych.legal_rag import benchmark, retrieve, score

BAR = "legal-rag-bm25-distant"
STUDY = "legal_rag"
KIND = "short"
UNIT = "recall@5, half of every gold span"
READS = ("lib/triptych/legal_rag/questions.jsonl",)
TARGET = "<= 0.50"


def measure() -> float:
    """Share of the answerable questions that BM25's first five passages answer."""
    bench = benchmark.eu_law()
    ranks = score.rank_table([retrieve.Bm25(bench.passages)], bench.questions, ["distant"], 5, [score.HALF])
    return float(score.recall_table(ranks, [5])["recall"].iloc[0])
