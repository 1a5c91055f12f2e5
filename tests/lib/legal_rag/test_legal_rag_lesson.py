"""The walkthrough's own scoring: what a quoting answer quotes is found at its place, and nothing else is."""

from __future__ import annotations

from triptych.legal_rag import benchmark, generate, lesson
from triptych.legal_rag.corpus import Corpus


def test_quotations_are_found_at_their_places(eu_law: Corpus) -> None:
    passages = benchmark.eu_law(["gdpr/5", "gdpr/6", "gdpr/7"]).passages
    reader = generate.ExtractiveReader(3)
    reply = reader.answer("May consent be withdrawn at any time by the data subject?", passages, eu_law)
    found = lesson.quoted(reply.text, passages)
    assert len(found) == 3
    assert all(eu_law.text(piece.article)[piece.start : piece.end] == piece.text for piece in found)
    assert " ".join(piece.text for piece in found) == reply.text
    assert lesson.quoted("The passages do not answer this question.", passages) == []
