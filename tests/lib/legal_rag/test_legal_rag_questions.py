"""The question set that ships is fit to use, and the validator refuses what is not, saying which item and why."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from triptych.errors import DataError
from triptych.legal_rag import chunk, lexical, questions, score, validate
from triptych.legal_rag.corpus import Corpus
from triptych.legal_rag.questions import Claim, Question, Span

ITEMS = questions.load()


def test_the_set_is_valid(eu_law: Corpus) -> None:
    assert validate.problems(ITEMS, eu_law) == []


def test_the_set_covers_every_act(eu_law: Corpus) -> None:
    assert len(ITEMS) == 100
    assert {act for item in ITEMS for act in item.acts} == set(eu_law.acts)
    assert sum("two-passages" in item.tags for item in ITEMS) >= 15
    assert sum(not item.answerable for item in ITEMS) >= 10


def test_no_single_passage_answers_a_two_passage_item(eu_law: Corpus) -> None:
    passages = chunk.semantic(eu_law)
    for item in ITEMS:
        if len(item.gold) > 1:
            for passage in score.gold_passages(item, passages):
                assert any(score.coverage(span, [passage]) < 0.5 for span in item.gold), (item.id, passage.id)


def test_distant_is_distant_and_plain_is_nearer(eu_law: Corpus) -> None:
    passages = chunk.semantic(eu_law)
    gold = {item.id: " ".join(p.text for p in score.gold_passages(item, passages)) for item in ITEMS}
    share = validate.statistics(ITEMS, gold).groupby("phrasing")["share"].median()
    assert share["distant"] <= 0.30
    assert share["plain"] > share["distant"]


def test_no_distant_phrasing_paraphrases_the_heading(eu_law: Corpus) -> None:
    for item in ITEMS:
        for span in item.gold:
            heading = lexical.stems(eu_law.text(span.article).split(" 1. ")[0][:200])
            assert len(heading & lexical.stems(item.distant)) <= len(heading) / 2, (item.id, span.article)


def test_no_gold_span_touches_what_the_file_has_lost_or_added(eu_law: Corpus) -> None:
    for item in ITEMS:
        for span in [*item.gold, *(span for group in item.sufficient for span in group)]:
            assert "Done at" not in span.quote
            assert span.end < len(eu_law.text(span.article)) or not eu_law.articles[span.article].cut


# --- what is refused -----------------------------------------------------------------------------------------------


def span_of(corpus: Corpus, article: str, quote: str) -> Span:
    start = corpus.text(article).index(quote)
    return Span(article=article, start=start, end=start + len(quote), quote=quote)


@pytest.fixture
def good(eu_law: Corpus) -> Question:
    gold = span_of(eu_law, "gdpr/33", "The processor shall notify the controller without undue delay")
    end = gold.end
    support = Span(article="gdpr/33", start=end - len("without undue delay"), end=end, quote="without undue delay")
    claim = Claim(text="Without undue delay.", support=(support,))
    return Question(
        id="x-1",
        distant="Our payroll bureau spotted the leak on Friday. May it sleep on it before ringing us?",
        plain="When must a processor notify the controller of a breach?",
        answer="It may not.",
        gold=(gold,),
        claims=(claim,),
    )


def test_a_good_item_passes(good: Question, eu_law: Corpus) -> None:
    assert validate.problems([good], eu_law) == []


def moved(item: Question, **change: Any) -> Question:
    gold = item.gold[0].model_copy(update=change)
    return item.model_copy(update={"gold": (gold,)})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"article": "gdpr/133"}, "no such article"),
        ({"start": -5}, "outside the article"),
        ({"end": 10**6}, "outside the article"),
        ({"quote": "The processor may notify"}, "the corpus has"),
    ],
)
def test_a_wrong_span_is_refused(good: Question, eu_law: Corpus, change: dict[str, Any], message: str) -> None:
    found = validate.problems([moved(good, **change)], eu_law)
    assert any(complaint.startswith("x-1: gold span") and message in complaint for complaint in found), found


def test_a_span_shifted_by_one_is_refused(good: Question, eu_law: Corpus) -> None:
    gold = good.gold[0]
    found = validate.problems([moved(good, start=gold.start + 1, end=gold.end + 1)], eu_law)
    assert any("the corpus has" in complaint for complaint in found)


def test_claims_need_support_inside_the_gold(good: Question, eu_law: Corpus) -> None:
    elsewhere = span_of(eu_law, "gdpr/33", "not later than 72 hours")
    misread = good.claims[0].support[0].model_copy(update={"quote": "without undue haste"})
    cases = {
        "requires no claim": (),
        "claim 1 has no support span": (Claim(text="Now.", support=()),),
        "lies in no gold span": (Claim(text="72 hours.", support=(elsewhere,)),),
        "does not read": (Claim(text="Now.", support=(misread,)),),
    }
    for message, claims in cases.items():
        found = validate.problems([good.model_copy(update={"claims": claims})], eu_law)
        assert any(message in complaint for complaint in found), (message, found)


def test_a_claim_about_something_else_than_its_support_is_refused(good: Question, eu_law: Corpus) -> None:
    for text in ("Bananas are yellow and grow on tall plants.", "5 %", "!"):
        claims = (good.claims[0].model_copy(update={"text": text}),)
        (found,) = validate.problems([good.model_copy(update={"claims": claims})], eu_law)
        assert "claim 1 shares 0.00 of its content stems with its support" in found
    known = next(item for item in ITEMS if item.id == "eu-091")  # its second support is a cross-reference
    bananas = known.claims[1].model_copy(update={"text": "Bananas are yellow."})
    claims = (known.claims[0], bananas, *known.claims[2:])
    (found,) = validate.problems([known.model_copy(update={"claims": claims})], eu_law)
    assert found.startswith("eu-091: claim 2 shares 0.00")


def test_most_claims_with_another_items_support_are_refused() -> None:
    """What the check can see: of claims set beside the words that another item's first claim rests on, most fall."""
    firsts = [(item, item.claims[0]) for item in ITEMS if item.claims]
    strange = [
        claim.model_copy(update={"support": firsts[(place + 7) % len(firsts)][1].support})
        for place, (_, claim) in enumerate(firsts)
    ]
    own = [(firsts[(place + 7) % len(firsts)][0], claim) for place, claim in enumerate(strange)]
    low = [validate._supported(claim, item) < validate.MIN_SUPPORT for item, claim in own]
    assert sum(low) / len(low) > 0.6


def test_a_gold_span_without_a_claim_is_refused(good: Question, eu_law: Corpus) -> None:
    second = span_of(eu_law, "gdpr/33", "not later than 72 hours")
    item = good.model_copy(update={"gold": (*good.gold, second), "tags": ("two-passages",)})
    assert any("no claim rests on gold span gdpr/33" in complaint for complaint in validate.problems([item], eu_law))


def test_overlapping_gold_spans_are_refused(good: Question, eu_law: Corpus) -> None:
    item = good.model_copy(update={"gold": (*good.gold, *good.gold), "tags": ("two-passages",)})
    assert any("overlap" in complaint for complaint in validate.problems([item], eu_law))


def test_other_sufficient_spans_are_checked_as_the_gold_is(good: Question, eu_law: Corpus) -> None:
    other = span_of(eu_law, "gdpr/33", "after becoming aware of a personal data breach")
    assert validate.problems([good.model_copy(update={"sufficient": ((other,),)})], eu_law) == []
    shifted = other.model_copy(update={"start": other.start + 1, "end": other.end + 1})
    for group, message in (((shifted,), "the corpus has"), ((), "is empty"), ((*good.gold, other), "all of the gold")):
        found = validate.problems([good.model_copy(update={"sufficient": (group,)})], eu_law)
        assert any("sufficient" in complaint and message in complaint for complaint in found), found


def test_a_question_in_the_words_of_the_law_is_refused(good: Question, eu_law: Corpus) -> None:
    item = good.model_copy(update={"distant": "Shall the processor notify the controller without delay?"})
    (complaint,) = validate.problems([item], eu_law)
    assert "1.00 of its content stems" in complaint
    assert complaint.endswith(": control, delay, notifi, processor, shall, without")


def test_double_ids_and_texts_are_refused(good: Question, eu_law: Corpus) -> None:
    found = validate.problems([good, good], eu_law)
    assert any(complaint.startswith("x-1: 2 items have this id") for complaint in found)
    assert any("asked 2 times" in complaint for complaint in found)


def test_shape(good: Question, eu_law: Corpus) -> None:
    cases = {
        "unknown tag 'odd'": {"tags": ("odd",)},
        "no plain phrasing": {"plain": None},
        "'two-passages' exactly": {"tags": ("two-passages",)},
        "'unanswerable' exactly": {"tags": ("unanswerable",)},
        "or its answer is empty": {"answer": " "},
    }
    for message, change in cases.items():
        found = validate.problems([good.model_copy(update=change)], eu_law)
        assert any(message in complaint for complaint in found), (message, found)


def test_an_unanswerable_item_is_allowed(eu_law: Corpus) -> None:
    item = Question(
        id="u-1", distant="What does a dog licence cost?", answer="Not in these texts.", tags=("unanswerable",)
    )
    assert validate.problems([item], eu_law) == []
    assert not item.answerable
    with pytest.raises(DataError, match="no plain"):
        item.phrased("plain")


def test_check_raises_with_every_complaint(good: Question, eu_law: Corpus) -> None:
    with pytest.raises(DataError, match="x-1: unknown tag"):
        validate.check([good.model_copy(update={"tags": ("odd",)})], eu_law)


def test_a_faulty_file_names_its_line(tmp_path: Path, good: Question) -> None:
    path = tmp_path / "questions.jsonl"
    questions.save([good], path)
    assert questions.load(path) == [good]
    row = json.loads(path.read_text())
    del row["answer"]
    path.write_text(path.read_text() + "\n" + json.dumps(row) + "\n")
    with pytest.raises(DataError, match=r"questions\.jsonl, line 3: answer"):
        questions.load(path)
    path.write_text("\n")
    with pytest.raises(DataError, match="holds no question"):
        questions.load(path)
    with pytest.raises(DataError, match="no question file"):
        questions.load(tmp_path / "absent.jsonl")


def test_overlap_by_hand() -> None:
    found = lexical.overlap("Notifying the controllers of leaks?", "The controller notified the authority")
    assert found.shared == ("control", "notifi")
    assert found.share == pytest.approx(2 / 3)  # notifi, control, leak
    assert found.jaccard == pytest.approx(2 / 4)  # and author
    assert lexical.overlap("of the", "of the").share == 0.0
