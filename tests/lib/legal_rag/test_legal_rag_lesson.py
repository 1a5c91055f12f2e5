"""The walkthrough: what a quoting answer quotes is found at its place, and its figures show the numbers given."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from triptych.legal_rag import benchmark, generate, lesson
from triptych.legal_rag.chunk import Passage
from triptych.legal_rag.corpus import Corpus
from triptych.legal_rag.questions import Question, Span
from triptych.legal_rag.retrieve import Found


def test_quotations_are_found_at_their_places(eu_law: Corpus) -> None:
    passages = benchmark.eu_law(["gdpr/5", "gdpr/6", "gdpr/7"]).passages
    reader = generate.ExtractiveReader(3)
    reply = reader.answer("May consent be withdrawn at any time by the data subject?", passages, eu_law)
    found = lesson.quoted(reply.text, passages)
    assert len(found) == 3
    assert all(eu_law.text(piece.article)[piece.start : piece.end] == piece.text for piece in found)
    assert " ".join(piece.text for piece in found) == reply.text
    assert lesson.quoted("The passages do not answer this question.", passages) == []


TEXT = "Cats sleep. Dogs bark at cats. Birds sing."
PASSAGES = [Passage("x/1", 0, 11, TEXT[:11], 3), Passage("x/1", 12, 30, TEXT[12:30], 5), Passage("x/1", 31, 42, "", 2)]
GOLD = Span(article="x/1", start=12, end=20, quote=TEXT[12:20])
QUESTION = Question(id="own", distant="Do cats bark? Cats!", answer="Dogs do.", gold=(GOLD,))


def test_a_cut_is_drawn_to_scale() -> None:
    figure, frame = lesson.cut(PASSAGES, QUESTION)
    bars = [(bar.get_y(), bar.get_x(), bar.get_width()) for (bar,) in figure.axes[0].containers]
    assert [place for _, *place in bars] == [[0, 11], [12, 18], [31, 11], [12, 8]]  # the last one is the gold
    assert bars[3][0] < bars[0][0] == bars[1][0]  # on a line of its own
    assert [text.get_text() for text in figure.axes[0].texts] == ["3 tokens", "5 tokens", "2 tokens"]
    assert frame["gold_covered"].tolist() == [0, 1, 0]
    assert figure.axes[0].get_xlim() == (0, 42)


def test_shared_words_are_counted_passage_by_passage() -> None:
    figure, frame = lesson.shared_words(QUESTION.distant, PASSAGES)
    counts = frame.pivot_table(index="passage", columns="stem", values="count", sort=False)
    assert counts.columns.tolist() == ["cat", "bark"]
    assert counts.to_numpy().tolist() == [[1, 0], [1, 1], [0, 0]]
    drawn = np.asarray(figure.axes[0].images[0].get_array())
    assert (drawn**2).round().astype(int).tolist() == [[1, 0], [1, 1], [0, 0]]
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == ["cat", "bark"]
    assert sorted(text.get_text() for text in figure.axes[0].texts) == ["1", "1", "1"]  # noughts are left blank


def test_rankings_show_scores_and_mark_the_gold() -> None:
    found = {
        "a": [Found(PASSAGES[1], 2.0), Found(PASSAGES[0], 0.5)],
        "b": [Found(PASSAGES[0], 9.0), Found(PASSAGES[1], 8.0)],
    }
    figure, frame = lesson.rankings(found, QUESTION, k=1)
    assert [panel.get_title("left") for panel in figure.axes] == ["a", "b"]
    for panel, (name, hits) in zip(figure.axes, found.items(), strict=True):
        (bars,) = panel.containers
        assert [bar.get_width() for bar in bars] == [hit.score for hit in hits]
        gold = [bar.get_facecolor() == bars[0 if name == "a" else 1].get_facecolor() for bar in bars]
        assert gold == [hit.passage is PASSAGES[1] for hit in hits]
        assert panel.lines[0].get_ydata() == pytest.approx([0.5, 0.5])  # after the first k
    assert frame["holds_gold"].tolist() == [True, False, False, True]
    assert frame["rank"].tolist() == [1, 2, 1, 2]


def test_six_dots_stand_at_their_means() -> None:
    rows = [
        {"retriever": r, "generator": g, "mean": mean, "low": mean - 0.1, "high": mean + 0.2}
        for r, g, mean in (("x", "one", 0.2), ("x", "two", 0.4), ("y", "two", 0.5), ("y", "one", 0.3))
    ]
    figure = lesson.six_dots(pd.DataFrame(rows))
    for container, means in zip(figure.axes[0].containers, ([0.2, 0.3], [0.4, 0.5]), strict=True):
        line, _, (bars,) = container.lines
        assert list(line.get_ydata()) == means
        for segment, mean in zip(bars.get_segments(), means, strict=True):
            assert segment[:, 1] == pytest.approx([mean - 0.1, mean + 0.2])
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == ["x", "y"]
