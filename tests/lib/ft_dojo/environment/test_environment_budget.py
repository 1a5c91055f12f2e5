"""Rows sum to totals, and what is left never goes below zero."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from triptych.ft_dojo.environment.budget import SUMMED, Charge, Ledger, Limits, Rates

charges = st.builds(
    Charge,
    actions=st.integers(0, 3),
    nominal_cpu=st.integers(0, 10**7).map(lambda micro: micro / 10**6),
    training_tokens=st.integers(0, 10**6),
    evaluations=st.integers(0, 9),
    llm_tokens=st.integers(0, 10**5),
    money=st.integers(0, 10**6).map(lambda micro: micro / 10**6),
)


@given(st.lists(charges, max_size=30))
def test_rows_sum_to_totals_whatever_their_order(rows: list[Charge]) -> None:
    forward, backward = Ledger(Limits()), Ledger(Limits())
    for step, charge in enumerate(rows):
        forward.add(step, "train", charge)
    for step, charge in enumerate(reversed(rows)):
        backward.add(step, "train", charge)
    assert forward.total() == backward.total()
    for name in SUMMED:
        exact = sum(Fraction(str(getattr(charge, name))) for charge in rows)
        assert Fraction(str(getattr(forward.total(), name))) == exact


@given(st.lists(charges, max_size=10), charges)
def test_what_is_affordable_is_never_more_than_is_left(rows: list[Charge], next_one: Charge) -> None:
    limits = Limits(actions=10, nominal_cpu=5.0, training_tokens=10**6, evaluations=10, llm_tokens=10**5, money=0.5)
    ledger = Ledger(limits)
    for step, charge in enumerate(rows):
        if not ledger.over(charge):
            ledger.add(step, "train", charge)
    for name in SUMMED:
        assert getattr(ledger.total(), name) <= getattr(limits, name)
        assert getattr(ledger.left(), name) >= 0
    assert bool(ledger.over(next_one)) == any(
        Fraction(str(getattr(ledger.total(), name))) + Fraction(str(getattr(next_one, name)))
        > Fraction(str(getattr(limits, name)))
        for name in SUMMED
    )


@given(st.integers(0, 10**4), st.integers(0, 10**6), st.integers(1, 10**6))
def test_nominal_seconds_follow_from_what_is_asked_alone(steps: int, tokens: int, parameters: int) -> None:
    rates = Rates()
    assert rates.training(steps, tokens, parameters) == rates.training(steps, tokens, parameters)
    assert rates.training(steps + 1, tokens, parameters) > rates.training(steps, tokens, parameters)
    assert rates.training(steps, tokens + 10**6, parameters) >= rates.training(steps, tokens, parameters)
    assert rates.training(steps, tokens, parameters) >= rates.scoring(steps, tokens, parameters)
