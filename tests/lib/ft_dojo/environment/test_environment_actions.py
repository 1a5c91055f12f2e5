"""The one door: whatever is given, either a typed action comes out or a reason, never anything else."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from triptych.ft_dojo.environment import actions
from triptych.ft_dojo.environment.actions import Malformed
from triptych.ft_dojo.trainer import TrainSpec

SPEC = {"steps": 3}
GOOD = [
    {"kind": "inspect", "path": "public/train.jsonl", "start": 2, "rows": 5},
    {"kind": "run_data_script", "code": "print(1)", "debug": True},
    {"kind": "train", "spec": SPEC, "data": "data-1", "micro": False},
    {"kind": "evaluate", "model": "base", "split": "val", "n": 10},
    {"kind": "ab_test", "factor": "batch", "arms": [8, 16], "seeds": [1], "spec": SPEC, "data": "d", "n": 5},
    {"kind": "ask_human", "question": "go on?"},
    {"kind": "submit", "model": "base", "rivals": ["model-1"]},
    {"kind": "stop", "reason": ""},
]

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)


def outcome(raw: str | bytes) -> BaseModel | str:
    try:
        return actions.parse(raw)
    except Malformed as error:
        return str(error)


@pytest.mark.parametrize("fields", GOOD, ids=lambda fields: fields["kind"])
def test_every_kind_is_read_and_written_back(fields: dict) -> None:
    action = actions.parse(json.dumps(fields))
    assert action.kind == fields["kind"]
    assert actions.parse(actions.dump(action)) == action


def test_all_kinds_are_covered_here() -> None:
    assert {fields["kind"] for fields in GOOD} == set(actions.KINDS)


@given(st.text() | st.binary())
def test_no_text_or_bytes_raise_anything_but_malformed(raw: str | bytes) -> None:
    outcome(raw)


@given(st.sampled_from(GOOD), st.data())
def test_a_wrong_value_in_any_field_is_refused_or_still_typed(fields: dict, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(fields)))
    damaged = {**fields, name: data.draw(values)}
    read = outcome(json.dumps(damaged))
    if isinstance(read, BaseModel):  # then it says exactly what was given: nothing was coerced
        given_back, asked = read.model_dump(mode="json"), json.loads(json.dumps(damaged))
        parts = (given_back[name].items(), asked[name].items()) if name == "spec" else (given_back[name], asked[name])
        assert set(parts[0]) >= set(parts[1]) if name == "spec" else parts[0] == parts[1]


@given(st.sampled_from(GOOD), st.text(min_size=1))
def test_an_unknown_key_is_refused(fields: dict, name: str) -> None:
    if name not in fields:
        assert (
            isinstance(outcome(json.dumps({**fields, name: 1})), str)
            or name in actions.parse(json.dumps(fields)).model_dump()
        )


@given(st.integers(min_value=1, max_value=200))
def test_depth_is_what_recursion_would_find(levels: int) -> None:
    def nested(value: object) -> int:
        if isinstance(value, dict):
            return 1 + max(map(nested, value.values()), default=0)
        return 1 + max(map(nested, value), default=0) if isinstance(value, list) else 0

    value: object = "]]]]"
    for level in range(levels):
        value = [value] if level % 2 else {"[": value}
    assert actions.depth(json.dumps(value)) == nested(value) == levels


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"\xff\xfe", "UTF-8"),
        (b"", "JSON"),
        (b"PK\x03\x04" + b"\0" * 50, "JSON"),
        (b"\x80\x04\x95.", "UTF-8"),  # a pickle
        ("[" * 40_000, "deeper"),
        ('{"a":' * 40_000, "deeper"),
        ('{"kind":"stop","reason":"' + "x" * 300_000 + '"}', "bytes"),
        ('{"kind":"stop","kind":"inspect"}', "twice"),
        ('{"kind":"evaluate","model":"base","n":NaN}', "NaN"),
        ('{"kind":"train","data":"d","spec":{"steps":1,"learning_rate":1e999}}', "large"),
        ('{"kind":"evaluate","model":"base","n":' + "9" * 5000 + "}", "n"),
        ('{"kind":"stop","reason":"\\ud800"}', "surrogate"),
        ('{"kind":"evaluate","model":"base","n":"10"}', "n"),
        ('{"kind":"evaluate","model":"base","n":1.5}', "n"),
        ('{"kind":"evaluate","model":"base","n":true}', "n"),
        ('{"kind":"evaluate","model":"base","split":"test"}', "split"),
        ('{"kind":"train","data":"d","spec":{}}', "length once"),
        ('{"kind":"train","data":"d","spec":{"steps":1,"epochs":1}}', "length once"),
        ('{"kind":"train","data":"d","spec":{"epochs":1e300}}', "epochs"),
        ('{"kind":"train","data":"d","spec":{"steps":1,"batch":1000000}}', "batch"),
        ('{"kind":"train","data":"d","spec":{"steps":1,"template":"{x}"}}', "template"),
        ('{"kind":"run_data_script","code":""}', "code"),
        ('["stop"]', "action"),
        ("null", "action"),
    ],
)
def test_what_is_wrong_is_named(raw: str | bytes, says: str) -> None:
    read = outcome(raw)
    assert isinstance(read, str) and says in read


def test_the_spec_is_the_trainers_own() -> None:
    action = actions.parse(json.dumps({"kind": "train", "data": "d", "spec": {"epochs": 2, "method": "lora"}}))
    assert isinstance(action, actions.Train)
    assert action.spec == TrainSpec(epochs=2, method="lora")
