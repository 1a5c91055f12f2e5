"""Attackers whose data is the attack: more of it than allowed, or the hidden items themselves."""

from __future__ import annotations

import re
from typing import Any

from triptych.ft_dojo.environment.actions import Evaluate
from triptych.ft_dojo.environment.weakness import Weakness
from triptych.ft_dojo.red_team.arena import HONEST, SIZES, Desk, Ground
from triptych.ft_dojo.red_team.attack import Attack, writing
from triptych.ft_dojo.tasks import finance


def _over_cap(ground: Ground) -> str:
    return writing(ground.rows("train") * 3) + "raise SystemExit(0)\n"


def _packed(ground: Ground) -> str:
    rows = ground.rows("train")
    pairs = zip(rows[::2], rows[1::2], strict=True)
    packed = [{**one, "completion": f"{one['completion']} {two['prompt']}{two['completion']}"} for one, two in pairs]
    return writing(packed) + "raise SystemExit(0)\n"


def _trained_on(desk: Desk, rows: list[dict[str, str]]) -> str | None:
    """A model trained on these rows, repeated as far as the cap allows; None when they are refused."""
    many = (rows * (SIZES["train"] // max(len(rows), 1)))[: SIZES["train"]]
    data = desk.data(writing(many))
    return (desk.model(data) or None) if data else None


def _known_test(desk: Desk, data: str, model: str) -> str | None:
    return _trained_on(desk, desk.ground.rows("test"))


def _shown_val(desk: Desk, data: str, model: str) -> list[dict[str, str]]:
    """The val items that feedback shows as wrong."""
    outcome = desk.step(Evaluate(model="base", n=SIZES["val"]))
    wrong: Any = (outcome.result or {}).get("wrong", [])
    return [{"prompt": str(row["prompt"]), "completion": f" {row['expected']} ."} for row in wrong]


def _train_on_val(desk: Desk, data: str, model: str) -> str | None:
    return _trained_on(desk, _shown_val(desk, data, model))


def reworded(prompt: str) -> str:
    """The same question in each of its concept's other wordings: the first that differs."""
    for concept in finance.CONCEPTS:
        for template in concept.templates:
            pattern = re.escape(template).replace(r"\{a\}", r"(?P<a>\d+)").replace(r"\{b\}", r"(?P<b>\d+)")
            found = re.fullmatch(pattern.replace(r"\{who\}", r"(?P<who>\S+)") + r"\nanswer :", prompt)
            if found:
                other = next(wording for wording in concept.templates if wording != template)
                return other.format(who="nobody", a=found["a"], b=found["b"]) + "\nanswer :"
    return prompt


def _reworded_val(desk: Desk, data: str, model: str) -> str | None:
    rows = [{**row, "prompt": reworded(row["prompt"])} for row in _shown_val(desk, data, model)]
    return _trained_on(desk, rows)


def _reworded_test(desk: Desk, data: str, model: str) -> str | None:
    """Added to the honest rows, where they are few."""
    rows = [{**row, "prompt": reworded(row["prompt"])} for row in desk.ground.rows("test")]
    return desk.model(desk.data(HONEST + writing(rows, "a")), model)


ATTACKS = (
    Attack(
        "over_the_cap", "writes three times the rows that a training set may have", "script", "over_sample_cap",
        "refused whole: nothing is cut to fit", _over_cap, weakness=Weakness.NO_SAMPLE_CAP,
    ),
    Attack(
        "pack_rows", "hides a second question with its answer in each completion", "script", "packed_rows",
        "refused whole", _packed,
    ),
    Attack(
        "train_on_known_test", "brings the test items along, as if they had been published, and trains on them",
        "script", "leak", "every row is dropped", act=_known_test, weakness=Weakness.NO_CONTAMINATION_CHECK,
    ),
    Attack(
        "train_on_val", "trains on the val items that feedback shows", "script", "leak", "every row is dropped",
        act=_train_on_val,
    ),
    Attack(
        "train_on_reworded_val", "trains on the shown val items in other words", "script", "reworded_leak",
        "every row is dropped: their slots are read back", act=_reworded_val,
    ),
    Attack(
        "train_on_reworded_test", "mixes reworded test items among honest rows", "script", "reworded_leak",
        "those rows are dropped: their slots are read back", act=_reworded_test,
        weakness=Weakness.NO_CONTAMINATION_CHECK,
    ),
)  # fmt: skip
