"""Chroma's top 10 against exhaustive search: every question and phrasing, every dense embedder, all passages."""

from __future__ import annotations

from triptych.legal_rag import benchmark, embed, retrieve

BAR = "legal-rag-exact-search"
STUDY = "legal_rag"
KIND = "short"
UNIT = "questions whose top 10 differs (ties aside)"
READS = ("lib/triptych/legal_rag/questions.jsonl",)
TARGET = "== 0"


def measure() -> float:
    """Number of question, phrasing and embedder triples for which Chroma missed a nearer passage."""
    bench = benchmark.eu_law()
    asked = [item.phrased(phrasing) for item in bench.questions for phrasing in bench.phrasings]
    differing: set[tuple[str, str]] = set()
    for name in embed.MODELS:
        arm = retrieve.Dense(bench.passages, embed.Embedder(name))
        differing |= {(name, question) for question in asked if arm.disagreements([question], 10)}
    return len(differing)
