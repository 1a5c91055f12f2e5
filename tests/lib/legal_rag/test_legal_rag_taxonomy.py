"""The error taxonomy on every combination of c, g and r, in every order."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from legal_rag_tables import row

from triptych.errors import DataError, ParameterError
from triptych.legal_rag import runs, taxonomy

ORDERS = list(itertools.permutations(taxonomy.PAPER))
EVERY = runs.table(
    row(f"q{c}{g}{r}", correct=bool(c), grounded=bool(g), retrieved=bool(r))
    for c, g, r in itertools.product((0, 1), repeat=3)
)


def test_the_papers_order_on_every_combination():
    assert dict(zip(EVERY["question"], taxonomy.classify(EVERY), strict=True)) == {
        "q000": "hallucination",
        "q001": "hallucination",
        "q010": "retrieval error",
        "q011": "reasoning error",
        "q100": "hallucination",
        "q101": "hallucination",  # ungrounded even though correct
        "q110": "correct",
        "q111": "correct",
    }


def test_another_order_gives_the_mixed_cases_to_another_rule():
    kinds = dict(zip(EVERY["question"], taxonomy.classify(EVERY, ORDERS[-1]), strict=True))
    assert ORDERS[-1][0] == "reasoning error"
    assert (kinds["q000"], kinds["q001"], kinds["q101"]) == ("retrieval error", "reasoning error", "hallucination")


FLAGS = st.lists(st.tuples(st.booleans(), st.booleans(), st.booleans(), st.booleans()), min_size=1, max_size=20)


@settings(max_examples=15, deadline=None)
@given(flags=FLAGS)
def test_the_total_error_does_not_depend_on_the_order(flags):
    frame = runs.table(
        row(f"q{n}", correct=c, grounded=g, retrieved=r)
        if read
        else row(f"q{n}", verdict="unparsed", correct=None, grounded=None)
        for n, (c, g, r, read) in enumerate(flags)
    )
    table = taxonomy.order_sensitivity(frame)
    assert table.groupby("order")["runs"].sum().eq(len(frame)).all()  # every run has one kind
    for kind in ("correct", "unparsed"):
        assert table[table["kind"] == kind]["runs"].nunique() == 1
    least = table[table["kind"] == "hallucination"].groupby("order")["runs"].sum()
    assert least["hallucination → retrieval error → reasoning error"] == least.max()
    # c = 0 gives way to no other rule when hallucination comes last
    assert least["retrieval error → reasoning error → hallucination"] == sum(
        c and not g for c, g, _, read in flags if read
    )


def test_decomposition_lists_every_kind_with_exact_intervals():
    table = taxonomy.decomposition(EVERY).set_index("kind")
    assert table["runs"].to_dict() == {
        "correct": 2,
        "hallucination": 4,
        "retrieval error": 1,
        "reasoning error": 1,
        "unparsed": 0,
    }
    assert table.loc["unparsed", "low"] == 0
    assert table.loc["unparsed", "high"] == pytest.approx(1 - 0.025 ** (1 / 8))  # Clopper–Pearson at 0 of 8


def test_unanswerable_questions_are_tabled_apart():
    rows = [
        row("a", answerable=False, retrieved=None, abstained=True),
        row("b", answerable=False, retrieved=None, abstained=False),
        row("c", answerable=False, retrieved=None, verdict="unparsed", correct=None, grounded=None),
    ]
    mixed = runs.table([*rows, row("d")])
    assert taxonomy.unanswerable(mixed)["runs"].tolist() == [1, 1, 1]
    assert taxonomy.unanswerable(EVERY).empty
    for function in (taxonomy.classify, taxonomy.conditional_hallucination):
        with pytest.raises(DataError, match="tabled apart"):
            function(mixed)


def test_an_order_names_every_rule_once():
    with pytest.raises(ParameterError, match="is not an order"):
        taxonomy.classify(EVERY, ["hallucination", "retrieval error"])


def conditional() -> list[dict[str, object]]:
    """30 questions: "found" answers 10 of 30 made up where retrieved; "lost" misses every one and makes up 20."""
    rows = []
    for n in range(30):
        rows.append(row(f"q{n}", "found", grounded=n >= 10))
        rows.append(row(f"q{n}", "lost", retrieved=False, grounded=n >= 20))
        rows.append(row(f"q{n}", "oracle", grounded=n >= 3))
    return rows


def test_hallucination_given_a_hit_a_miss_and_the_oracle():
    frame = runs.table(
        [*conditional(), row("q99", "lost", retrieved=False, verdict="unparsed", correct=None, grounded=None)]
    )
    found = taxonomy.conditional_hallucination(frame, oracle="oracle").set_index("given")
    assert found["hallucinated"].to_dict() == {"hit": 10, "miss": 20, "oracle": 3}
    assert found["n"].tolist() == [30, 30, 30]
    assert found["unparsed"].to_dict() == {"hit": 0, "miss": 1, "oracle": 0}
    with pytest.raises(ParameterError, match="no retriever is called"):
        taxonomy.conditional_hallucination(frame, oracle="gold")


def test_the_effect_of_a_miss_is_taken_within_questions():
    """Hard questions are missed and hallucinated alike; within questions a miss here changes nothing."""
    rows = [row(f"h{n}", arm, retrieved=False, grounded=False) for n in range(20) for arm in "ab"]
    rows += [row(f"e{n}", arm, grounded=True) for n in range(20) for arm in "ab"]
    rows += [row(f"m{n}", arm, retrieved=arm == "a", grounded=n % 2 == 0) for n in range(10) for arm in "ab"]
    frame = runs.table(rows)
    naive = taxonomy.conditional_hallucination(frame).set_index("given")["share"]
    assert naive["miss"] - naive["hit"] > 0.5
    found = taxonomy.miss_effect(frame).iloc[0]
    assert found["informative"] == 10
    assert found["difference"] == pytest.approx(0, abs=1e-12)
    whole = taxonomy.miss_effect(runs.table(conditional())).iloc[0]
    assert whole["difference"] == pytest.approx(20 / 30 - (10 + 3) / 60, abs=1e-9)
    assert taxonomy.miss_effect(runs.table([row("a"), row("b")]))["difference"].isna().all()


@pytest.mark.parametrize("grounded", [True, False])
def test_a_miss_that_changes_nothing_anywhere_has_a_difference_and_no_certainty(grounded: bool):
    """An extractive reader that is grounded throughout: 0 / 0 would be written down as NaN, which no JSON holds."""
    rows = [row(f"m{n}", arm, retrieved=arm == "a", grounded=grounded) for n in range(10) for arm in "ab"]
    rows += [row("e", arm, grounded=arm == "a") for arm in "ab"]  # varies, but where no retriever differs
    found = taxonomy.miss_effect(runs.table(rows)).iloc[0]
    assert found["difference"] == pytest.approx(0, abs=1e-12)
    assert found[["se", "low", "high", "p"]].isna().all()
