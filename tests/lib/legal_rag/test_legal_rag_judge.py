"""Judges on a question of our own: what the rubric judge objects to and why, the baselines, validity and the probes.

No answer of the perturbation set is judged here: how well the judge does on it is measured by benches.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from scipy.stats import beta

from triptych.errors import DataError, ParameterError
from triptych.legal_rag import (
    judge_baseline,
    judge_fit,
    judge_kept,
    judge_probes,
    judge_rubric,
    judge_training,
    judge_validity,
    perturbations,
)
from triptych.legal_rag.judge import Case, Verdict, cases
from triptych.legal_rag.judge_rubric import RubricJudge
from triptych.legal_rag.questions import Claim, Question, Span

LAW = (
    "The keeper of a lighthouse shall report every broken lamp to the harbour office within 24 hours. The keeper shall "
    "not charge passing ships for the light. The harbour office may exempt a lighthouse that is not lit in winter."
)


def span(quote: str) -> Span:
    start = LAW.index(quote)
    return Span(article="x/1", start=start, end=start + len(quote), quote=quote)


REPORT = span("The keeper of a lighthouse shall report every broken lamp to the harbour office within 24 hours")
CHARGE = span("The keeper shall not charge passing ships for the light")
QUESTION = Question(
    id="own-1",
    distant="Our lamp went out last night. Whom do we tell, by when, and may we ask the ferries for money?",
    answer="A broken lamp is reported to the harbour office within 24 hours. Ships are not charged for the light.",
    gold=(REPORT, CHARGE),
    claims=(
        Claim(text="The keeper has to report a broken lamp to the harbour office within 24 hours.", support=(REPORT,)),
        Claim(text="Passing ships may not be charged for the light.", support=(CHARGE,)),
    ),
)
SILENT = Question(id="own-2", distant="Who paints the lighthouse?", answer="The text does not say.")
RIGHT = (
    "The keeper must report the broken lamp to the harbour office within 24 hours. "
    "Passing ships are not to be charged for the light."
)


def case(text: str, **more: Any) -> Case:
    return replace(Case(QUESTION, text, (LAW,)), **more)


@pytest.fixture(scope="module")
def judge() -> RubricJudge:
    return RubricJudge(law=[LAW, "A queue of visitors pays a fee of a month's wages to the police for a certificate."])


def test_a_right_answer_passes(judge: RubricJudge) -> None:
    (verdict,) = judge.judge([case(RIGHT)])
    assert (verdict.correct, verdict.grounded, verdict.abstained, verdict.reasons) == (True, True, False, ())
    assert (verdict.outcome, verdict.objects) == ("judged", False)
    assert verdict.judge == judge.name == f"rubric@{judge_rubric.model().version}"


def test_a_number_of_the_question_need_not_be_said_again(judge: RubricJudge) -> None:
    asked = replace_claim("The 24 lamps are reported, 24 of 24.")
    (verdict,) = judge.judge([case(RIGHT.replace(" within 24 hours", ""), question=asked)])
    assert not any("lacks 24" in reason for reason in verdict.reasons)


def replace_claim(text: str) -> Question:
    """The question with a number in it, and the first claim in other words."""
    claims = (QUESTION.claims[0].model_copy(update={"text": text}), QUESTION.claims[1])
    return QUESTION.model_copy(update={"distant": f"We have 24 lamps. {QUESTION.distant}", "claims": claims})


@pytest.mark.parametrize(
    ("text", "correct", "grounded", "reason"),
    [
        (
            "The keeper must report the broken lamp to the harbour office within 24 hours.",
            False,
            True,
            "claim 2 is not",
        ),
        (RIGHT.replace("24", "48"), False, False, "number from nowhere, 48 hours"),
        (RIGHT.replace("24", "48"), False, False, "claim 1 lacks 24 hours"),
        (RIGHT.replace("must report", "need not report"), False, False, "denied, claim 1"),
        (f"{RIGHT} The visitors pay the police a fee for a certificate.", True, False, "not supported"),
    ],
)
def test_each_sort_of_error_has_its_reason(
    judge: RubricJudge, text: str, correct: bool, grounded: bool, reason: str
) -> None:
    (verdict,) = judge.judge([case(text)])
    assert (verdict.correct, verdict.grounded) == (correct, grounded)
    assert any(line.startswith(reason) for line in verdict.reasons), verdict.reasons


def test_declining_is_right_only_where_there_is_no_answer(judge: RubricJudge) -> None:
    known, silent, empty = judge.judge(
        [case("I cannot answer this from the passages."), Case(SILENT, "The passages do not say.", (LAW,)), case("")]
    )
    assert (known.correct, known.grounded, known.abstained) == (False, True, True)
    assert (silent.correct, silent.grounded, silent.abstained) == (True, True, True)
    assert empty.abstained and not empty.correct
    (answered,) = judge.judge([Case(SILENT, "The harbour office paints it every year.", ())])
    assert (answered.correct, answered.grounded, answered.abstained) == (False, False, False)


def test_a_verbatim_quotation_of_a_passage_is_grounded(judge: RubricJudge) -> None:
    quoted = "The harbour office may exempt a lighthouse that is not lit in winter."
    apart = "Passing ships shall not, at any time; be charged for the light within two miles of the pier."
    (inside, outside, other) = judge.judge(
        [
            case(quoted),
            case(quoted, passages=("Another text about paint.",)),
            case(
                "Passing ships shall be charged for the light.",
                passages=("Passing ships shall be charged for the light.",),
            ),
        ]
    )
    assert inside.grounded and not inside.correct
    assert not outside.grounded
    assert other.grounded and not other.correct  # wrong, but what the passage says
    (cut,) = judge.judge([case(apart, passages=(apart,))])
    assert cut.grounded  # however the answer is cut into clauses


def test_polite_words_do_not_sway_it(judge: RubricJudge) -> None:
    wrong = RIGHT.replace("24", "48")
    before = judge.judge([case(RIGHT), case(wrong)])
    after = judge.judge([judge_probes.padded(case(RIGHT)), judge_probes.padded(case(wrong))])
    assert [(v.correct, v.grounded) for v in after] == [(v.correct, v.grounded) for v in before]


def test_a_verdict_does_not_depend_on_its_neighbours_or_on_the_order_of_passages(judge: RubricJudge) -> None:
    many = [case(RIGHT), case(RIGHT.replace("24", "48")), case("", passages=(LAW, "Another text about paint."))]
    alone = [judge.judge([one])[0] for one in many]
    assert judge.judge(many) == alone
    assert judge.judge([judge_probes.reversed_passages(one) for one in many]) == alone


class Counting:
    """Judges by length, and counts what it is asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def judge(self, cases: Sequence[Case]) -> list[Verdict]:
        self.asked += [one.text for one in cases]
        return [Verdict("length", len(one.text) > 3, True, False, ("why",), scores=(("a", 1.5),)) for one in cases]


def test_a_verdict_is_kept_by_content_and_never_stale(own_cache: Path) -> None:
    counting = Counting()
    first = judge_kept.verdicts("one", [case("long"), case("no"), case("long")], counting.judge)
    assert counting.asked == ["long", "no"]
    again = judge_kept.verdicts("one", [case("no"), case("new"), case("long")], counting.judge)
    assert counting.asked == ["long", "no", "new"]
    assert [again[2], again[0]] == first[:2]
    assert again[2].scores == (("a", 1.5),)
    judge_kept.verdicts("one", [case("no", passages=("Other law.",))], counting.judge)
    judge_kept.verdicts("two", [case("no")], counting.judge)
    assert counting.asked[3:] == ["no", "no"]


def test_a_damaged_file_of_verdicts_is_named(own_cache: Path) -> None:
    file = judge_kept.kept("one").file
    file.parent.mkdir(parents=True)
    file.write_bytes(b"this is no database, but long enough to be taken for one" * 20)
    with pytest.raises(DataError, match="cannot be used"):
        judge_kept.verdicts("one", [case("no")], Counting().judge)


# --- the model -----------------------------------------------------------------------------------------------------


def test_the_committed_model_names_every_feature() -> None:
    fitted = judge_rubric.model()
    for name, features in judge_rubric.HEADS.items():
        head = getattr(fitted, name)
        assert tuple(head.weight) == tuple(head.mean) == tuple(head.scale) == features


def test_a_head_is_a_logistic_regression_in_plain_arithmetic() -> None:
    head = judge_rubric.Head(
        mean={"a": 1.0, "b": 0.0}, scale={"a": 2.0, "b": 1.0}, weight={"a": 3.0, "b": -1.0}, intercept=0.5, threshold=0
    )
    assert head.scores([(3.0, 2.0), (1.0, 0.0)]).tolist() == [1.5, 0.5]


def test_the_fit_refuses_held_out_answers() -> None:
    items = perturbations.load()
    with pytest.raises(ValueError, match="dev half only"):
        judge_fit.items([next(item for item in items if item.split == "held-out")])
    dev = {item.question for item in items if item.split == "dev"}
    assert set(judge_fit.ADDED) <= dev


def test_training_answers_are_to_dev_questions_and_say_every_claim_once() -> None:
    from triptych.legal_rag import questions

    known = {question.id: question for question in questions.load()}
    half = perturbations.splits(known)
    written = judge_training.load()
    assert {answer.question for answer in written} == {
        name for name, question in known.items() if question.answerable and half[name] == "dev"
    }
    for answer in written:
        said = sorted(number for piece in answer.pieces for number in piece.says)
        assert said == list(range(1, len(known[answer.question].claims) + 1)), answer.question


def test_training_answers_are_in_many_voices_each_in_one_group() -> None:
    voices: dict[str, set[str]] = {}
    for answer in judge_training.load():
        voices.setdefault(answer.question, set()).add(answer.voice)
    grouped = [voice for group in judge_fit.VOICES for voice in group]
    assert sorted(grouped) == sorted({judge_fit.SET, *(voice for found in voices.values() for voice in found)})
    assert min(map(len, voices.values())) >= 4


def test_no_training_text_is_of_the_perturbation_set() -> None:
    frozen = {item.text for item in perturbations.load()}
    written = judge_training.load()
    polite = [one.text for one in judge_training.sentences() if one.sort == "courtesy"]
    texts = {example.text for example in judge_training.examples(written, polite)}
    texts |= {sentence.text for sentence in judge_training.sentences()}
    assert not texts & frozen


def test_examples_break_exactly_what_they_say() -> None:
    answer = judge_training.Written(
        question="eu-001",
        pieces=(
            judge_training.Piece(says=(1,), text="The lamp is lit", flipped="The lamp is not lit"),
            judge_training.Piece(says=(2,), text=", and the keeper sleeps."),
        ),
        additions=("Ships pay a fee.",),
    )
    found = judge_training.examples([answer], ["Thank you."])
    assert [(each.sort, each.text, each.broken) for each in found if each.sort != "added"] == [
        ("right", "The lamp is lit, and the keeper sleeps.", ()),
        ("padded", "Thank you. The lamp is lit, and the keeper sleeps. Thank you.", ()),
        ("dropped", "And the keeper sleeps.", (1,)),
        ("flipped", "The lamp is not lit, and the keeper sleeps.", (1,)),
        ("dropped", "The lamp is lit.", (2,)),
    ]
    (added,) = [each for each in found if each.sort == "added"]
    assert added.text in (
        "Ships pay a fee. The lamp is lit, and the keeper sleeps.",
        "The lamp is lit, and the keeper sleeps. Ships pay a fee.",
    )


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        (["one", "two"], "One two."),
        (["One.", "two"], "One. Two."),
        (["One,", "Two"], "One. Two."),
        (["One.", ", but two"], "One, but two."),
        ([", two;"], "Two."),
    ],
)
def test_pieces_are_joined_into_sentences(parts: list[str], text: str) -> None:
    assert judge_training.join(parts) == text


def test_a_missing_model_is_told(tmp_path: Any) -> None:
    with pytest.raises(DataError, match="no rubric model"):
        judge_rubric.model(tmp_path / "none.json")


# --- baselines, validity, probes -----------------------------------------------------------------------------------


class Scripted:
    """A judge that says what it is told to."""

    name = "scripted"

    def __init__(self, verdicts: Sequence[tuple[bool | None, bool | None]]) -> None:
        self.verdicts = list(verdicts)

    def judge(self, cases: Sequence[Case]) -> list[Verdict]:
        return [
            Verdict(self.name, c, g, None if c is None else False, error="prose" if c is None else None)
            for c, g in self.verdicts[: len(cases)]
        ]


def test_a_baseline_passes_what_is_like_the_reference() -> None:
    near, far = case(QUESTION.answer), case("Paint.")
    for name in judge_baseline.SCORES:
        baseline = judge_baseline.fitted(name, [near, far], [False, True])
        assert [verdict.objects for verdict in baseline.judge([near, far])] == [False, True]
    with pytest.raises(ParameterError, match="right and wrong"):
        judge_baseline.fitted("stem overlap", [near], [False])
    with pytest.raises(ParameterError, match="no baseline"):
        judge_baseline.Baseline("vibes", 0.5)


@pytest.fixture(scope="module")
def examined() -> pd.DataFrame:
    wanted = ("paraphrase", "dropped claim", "unsupported addition", "abstention")
    items = [next(i for i in perturbations.load() if i.kind == kind and i.split == "dev") for kind in wanted]
    from triptych.legal_rag import questions

    script = [(True, True), (True, True), (True, False), (None, None)]
    return judge_validity.examine(Scripted(script), items, questions.load())


def test_validity_counts_objections_by_kind_with_exact_intervals(examined: pd.DataFrame) -> None:
    assert examined["right"].tolist() == [True, False, True, False]
    table = judge_validity.by_kind(examined).set_index("kind")
    assert table.loc["abstention", "unparsed"] == 1
    assert table.loc["paraphrase", "measure"] == "specificity"
    whole = judge_validity.by_kind(examined).query("kind == 'all' and measure == 'sensitivity'").iloc[0]
    assert (whole["right"], whole["n"]) == (1, 3)
    assert whole["low"] == pytest.approx(beta.ppf(0.025, 1, 3))
    assert whole["high"] == pytest.approx(beta.ppf(0.975, 2, 2))
    sensitivity, specificity = judge_validity.overall(examined, "dev")
    assert (sensitivity.right, sensitivity.trials, specificity.right, specificity.trials) == (1, 3, 1, 1)
    assert judge_validity.worst_kind(examined, "dev")[1] == 0.0


def test_rates_of_correct_answers_count_an_unparsed_verdict_as_not_passed(examined: pd.DataFrame) -> None:
    passes, fails = judge_validity.for_correct(examined, "dev")
    assert (passes.right, passes.trials) == (2, 2)  # the paraphrase and the addition are correct
    assert (fails.right, fails.trials) == (1, 2)  # the dropped claim slipped through, the unparsed one did not


def test_a_judge_is_calibrated_by_its_own_verdicts_or_not_at_all(examined: pd.DataFrame) -> None:
    other = examined.assign(judge="other", correct=False)
    both = pd.concat([examined, other], ignore_index=True)
    found = judge_validity.calibration(both, "other", "dev")
    assert found is not None
    assert [(each.right, each.trials) for each in found] == [(0, 2), (2, 2)]
    assert judge_validity.calibration(both, "scripted", "dev") == judge_validity.for_correct(examined, "dev")
    assert judge_validity.calibration(both, "a third", "dev") is None
    assert judge_validity.calibration(both, "other", "held-out") is None
    only_wrong = both[~both["true_correct"].astype(bool)]
    assert judge_validity.calibration(only_wrong, "other", "dev") is None  # nothing is known of its sensitivity


def test_the_parts_of_the_answers_are_told_apart() -> None:
    half = perturbations.splits({item.question for item in perturbations.load()})
    second = judge_validity.answers(judge_validity.SECOND)
    assert {half[item.question] for item in second} == {"held-out"}
    assert not {item.id for item in second} & {item.id for item in judge_validity.answers("held-out")}
    assert {item.split for item in judge_validity.answers("dev")} == {"dev"}
    with pytest.raises(ParameterError, match="no answers called"):
        judge_validity.answers("third")


def test_a_part_stands_for_the_half(examined: pd.DataFrame) -> None:
    from triptych.legal_rag import questions

    items = perturbations.only(perturbations.load(), "dev")[:1]
    named = judge_validity.examine(Scripted([(True, True)]), items, questions.load(), "a part")
    assert set(named["split"]) == {"a part"}
    assert set(examined["split"]) == {"dev"}


def test_agreement_leaves_out_what_could_not_be_read(examined: pd.DataFrame) -> None:
    table = judge_validity.agreement_with_truth(examined)
    assert set(table["name"]) >= {"Gwet AC1"}
    assert set(table["judge"]) == {"scripted"}


def test_a_printed_99_per_cent_needs_a_count_that_rounds_to_it() -> None:
    table = judge_validity.printed_as(0.99, [50, 100, 200])
    assert set(table["n"]) == {100, 200}  # no count of 50 prints as 99 %
    assert table.loc[table["n"] == 100, "right"].tolist() == [99]


def test_judges_are_compared_with_one_another_answer_by_answer() -> None:
    def rows(judge: str, objects: str, ids: str = "abcdef") -> pd.DataFrame:
        said = [{"y": True, "n": False, "?": None}[word] for word in objects]
        outcome = ["unparsed" if word is None else "judged" for word in said]
        return pd.DataFrame({"id": list(ids), "split": "dev", "judge": judge, "objects": said, "outcome": outcome})

    first, second, third = rows("one", "yyynnn"), rows("two", "nnnyyy", "fedcba"), rows("three", "yynnn?")
    found = judge_validity.agreement_between(pd.concat([first, second, third], ignore_index=True))
    by = found.set_index(["judges", "name"])
    assert set(found["judges"]) == {"one / two", "one / three", "two / three", "one / two / three"}
    assert by.loc[("one / two", "Cohen κ"), "value"] == pytest.approx(1)  # alike answer by answer, in another order
    assert by.loc[("one / three", "Cohen κ"), "value"] == pytest.approx((0.8 - 0.48) / (1 - 0.48))  # unread left out
    assert by.loc[("one / three", "Gwet AC1"), "agree"] == pytest.approx(4 / 5)
    assert ("one / two / three", "Cohen κ") not in by.index  # κ is for two
    mute = judge_validity.agreement_between(pd.concat([first, rows("mute", "??????")], ignore_index=True))
    assert mute["name"].tolist() == ["fewer than two items have two verdicts"]
    assert mute["value"].isna().all()
    assert judge_validity.agreement_between(first).empty
    with pytest.raises(ParameterError, match="not judged the same dev answers"):
        judge_validity.agreement_between(pd.concat([first, second.iloc[1:]]))


@pytest.mark.parametrize("seed", [0, 5])
def test_a_shuffle_keeps_the_passages_and_says_the_same_again(seed: int) -> None:
    many = replace(case(RIGHT), passages=tuple("abcdef"))
    shuffled = judge_probes.shuffled_passages(seed)(many)
    assert sorted(shuffled.passages) == sorted(many.passages)
    assert shuffled.passages != many.passages
    assert replace(shuffled, passages=many.passages) == many  # nothing else was touched
    assert judge_probes.shuffled_passages(seed)(many) == shuffled
    assert judge_probes.shuffled_passages(seed + 1)(many) != shuffled


def test_only_answers_that_a_probe_changes_count() -> None:
    asked: list[int] = []

    class Counting(Scripted):
        def judge(self, cases: Sequence[Case]) -> list[Verdict]:
            asked.append(len(cases))
            return [Verdict("counting", one.passages[:1] == ("a",), True, False) for one in cases]

    sample = [replace(case(RIGHT), passages=tuple(names)) for names in ("ab", "ba", "a", "", "aa")]
    sample.append(replace(case(RIGHT), text="", passages=("a", "b")))
    table = judge_probes.probe(Counting([]), sample).set_index(["probe", "flag"])
    turned = table.loc[("passages reversed", "correct")]
    assert (turned["n"], turned["unchanged"], turned["to_worse"], turned["to_better"]) == (3, 3, 2, 1)
    assert turned["share"] == 1
    assert turned["low"] == pytest.approx(0.025 ** (1 / 3))  # exact, of three
    assert table.loc[("answer repeated", "correct"), "n"] == 5  # an empty answer cannot be repeated
    assert table.loc[("answer padded", "correct"), "n"] == 6
    assert asked[:2] == [6, 3]
    alone = judge_probes.probe(Counting([]), sample[2:4], {"order": judge_probes.reversed_passages})
    assert alone["n"].eq(0).all()
    assert alone["share"].isna().all()


def test_probes_count_the_verdicts_that_moved(judge: RubricJudge) -> None:
    shown = (LAW[: LAW.index("The keeper shall not")], LAW[LAW.index("The keeper shall not") :])
    sample = [replace(case(text), passages=shown) for text in (RIGHT, RIGHT.replace("24", "48"))]

    class Vain(Scripted):
        """Likes long answers."""

        def judge(self, cases: Sequence[Case]) -> list[Verdict]:
            return [Verdict("vain", len(one.text) > len(RIGHT), True, False) for one in cases]

    table = judge_probes.probe(Vain([]), sample).set_index(["probe", "flag"])
    assert table.loc[("answer padded", "correct"), "to_better"] == 2
    assert table.loc[("passages reversed", "correct"), "share"] == 0
    steady = judge_probes.probe(judge, sample)
    order = steady.set_index("probe").loc["passages reversed"]
    assert (order["share"] == 0).all()
    assert (order["n"] == 2).all()
    unread = judge_probes.probe(Scripted([(None, None), (True, True)]), sample)
    assert set(unread.loc[unread["probe"] != "passages shuffled", "unread"]) == {1}  # a shuffle may change nothing


def test_cases_of_the_set_are_shown_their_gold_spans() -> None:
    from triptych.legal_rag import questions

    items = perturbations.only(perturbations.load(), "dev")[:5]
    for item, one in zip(items, cases(items, questions.load()), strict=True):
        assert one.text == item.text
        assert one.passages == tuple(span.quote for span in one.question.gold)
