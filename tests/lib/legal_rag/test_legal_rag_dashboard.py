"""The desk of `explore`: evidence is marked where it stands, and nothing typed is judged."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pytest

from triptych.legal_rag import benchmark, dashboard, grid, score
from triptych.legal_rag.dashboard import Dashboard, Desk, Query
from triptych.legal_rag.generate import ExtractiveReader
from triptych.legal_rag.judge import Case, Verdict


class Strict:
    """A judge that finds every answer wrong, and says so in markup."""

    name = "strict"

    def judge(self, cases: Sequence[Case]) -> list[Verdict]:
        return [Verdict(self.name, correct=False, grounded=True, abstained=False, reasons=("<no>",)) for _ in cases]


@pytest.fixture(scope="module")
def desk() -> Desk:
    bench = benchmark.eu_law(["nis2/12", "nis2/20", "nis2/28", "nis2/35"])
    return Desk(bench, grid.arms(bench.passages, ["BM25"]), [ExtractiveReader()], Strict())


def test_exactly_the_gold_is_marked(desk: Desk) -> None:
    item = desk.items["eu-017"]
    for passage in score.gold_passages(item, desk.bench.passages):
        shown = dashboard.marked(passage, item.gold, item.distant)
        marked = "".join(re.findall(r"<mark>(.*?)</mark>", shown)).replace("<u>", "").replace("</u>", "")
        (span,) = item.gold
        inside = passage.text[max(0, span.start - passage.start) : span.end - passage.start]
        assert marked == inside.replace("&", "&amp;")


def test_a_question_is_judged_and_typed_words_are_not(desk: Desk) -> None:
    panel = Dashboard(desk, Query("eu-017", "plain"))
    (seen,) = panel.show(panel.query)
    assert seen.hit is True
    assert seen.verdict is not None
    assert "&lt;no&gt;" in panel.out.value
    assert "<no>" not in panel.out.value
    panel.typed.value = "May domain names be registered <b>anonymously</b>?"
    panel.button.click()
    assert "not judged" in panel.out.value
    assert "<b>anonymously</b>" not in panel.out.value


def test_an_unanswerable_question_can_be_picked(desk: Desk) -> None:
    panel = Dashboard(desk, Query("eu-046"))
    assert "eu-046" in panel.choice.options
    (seen,) = panel.show(panel.query)
    assert seen.hit is None
    assert seen.verdict is not None
    assert "Reference (eu-046)" in panel.out.value
    assert "<mark>" not in panel.out.value


def test_what_goes_wrong_is_shown(desk: Desk) -> None:
    panel = Dashboard(desk, Query("eu-017"))
    assert panel.show(Query("eu-999")) == []
    assert "there is no question" in panel.out.value
    assert panel.show(Query("eu-017", k=0)) == []
    assert "k is at least 1" in panel.out.value
