"""Declarations and typed parameters: what is refused, and with which words."""

from __future__ import annotations

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triptych import stages
from triptych.errors import ParameterError, StageError


@pytest.fixture
def here(checkout, monkeypatch):
    monkeypatch.setenv("TRIPTYCH_ROOT", str(checkout.root))
    return checkout


def test_stages_come_after_what_they_read_from(here):
    text = (here.root / "notebooks/stages.toml").read_text()
    first, second = text.index('["legal_rag/01_first"]'), text.index('["bitsys/02_second"]')
    here.write("notebooks/stages.toml", text[second:] + text[first:second])  # declared the other way round
    names = list(stages.load())
    assert names.index("legal_rag/01_first") < names.index("bitsys/02_second")
    assert [spec.name for spec in stages.select("bitsys")] == ["legal_rag/01_first", "bitsys/02_second"]


def test_the_longest_chain_is_begun_first(here):
    def spec(name, minutes, *reads):
        inputs = tuple(f"{read}/x.json" for read in reads)
        return dataclasses.replace(stages.get("legal_rag/01_first"), name=name, minutes=minutes, inputs=inputs)

    chosen = [spec("a", 1), spec("b", 4), spec("c", 2), spec("d", 2, "c"), spec("e", 1.5, "a", "d"), spec("f", 1)]
    assert "".join(each.name for each in stages.longest_first(chosen)) == "cbdaef"  # 5.5, 4, 3.5, 2.5, 1.5, 1
    assert stages.longest_first([]) == []


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('question = "Does the first', 'questoin = "Does the first', "'questoin'"),
        ("minutes = 0.1\nreads", "reads", "'minutes' is missing"),
        ('results = ["numbers.parquet", "facts.json"]', 'results = ["numbers.csv"]', "must end in .json or .parquet"),
        (
            'inputs = ["legal_rag/01_first/facts.json"]',
            'inputs = ["legal_rag/01_first/no.json"]',
            "which no stage publishes",
        ),
        ('inputs = ["legal_rag/01_first/facts.json"]', 'inputs = ["bitsys/02_second/total.json"]', "in a circle"),
        ('["legal_rag/01_first"]', '["law/01_first"]', "a study of legal_rag, bitsys, ft_dojo"),
        ("paper = {}\n", "\n", "profiles are exactly"),
        ("smoke = { n = 3 }", "smoke = 3", "profile smoke is a table of parameters"),
        ("minutes = 0.1", 'minutes = "three"', "minutes is a positive number"),
        (
            'figures = []\nresults = ["alone.json"]',
            'figures = ["fig-first"]\nresults = ["alone.json"]',
            "is declared by",
        ),
        ('reads = ["rtl/bitsys/one.sv"]', "reads = 3", "reads is a list of strings"),
        ("minutes = 0.1", "minutes = = 0.1", "does not parse"),
    ],
)
def test_a_faulty_declaration_is_refused_with_the_reason(here, old, new, words):
    text = (here.root / "notebooks/stages.toml").read_text()
    assert old in text
    here.write("notebooks/stages.toml", text.replace(old, new, 1))
    with pytest.raises(StageError, match=words):
        stages.load()


def test_an_unknown_stage_or_study_is_answered_with_the_list(here):
    with pytest.raises(ParameterError, match="bitsys/02_second"):
        stages.get("bitsys/99_none")
    with pytest.raises(ParameterError, match="legal_rag, bitsys, ft_dojo"):
        stages.select("chemistry")
    assert stages.get("notebooks/bitsys/02_second.ipynb").name == "bitsys/02_second"


def test_profiles_and_overrides_are_laid_over_the_defaults(here):
    spec = stages.get("legal_rag/01_first")
    assert stages.resolve(spec, "quick")["n"] == 20
    assert stages.resolve(spec, "smoke")["n"] == 3
    assert stages.resolve(spec, "smoke", {"n": 4, "scale": 2}) == {
        "n": 4, "seed": 7, "label": "walk", "scale": 2.0, "fail": False, "pause": 0.0
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("m", 3, "no parameter 'm'.*\n.*n \\(int\\)"),
        ("n", "3", "'3' is str, not int"),
        ("n", 3.5, "3.5 is float, not int"),
        ("n", True, "True is bool, not int"),
        ("fail", 1, "1 is int, not bool"),
        ("label", None, "None is NoneType, not str"),
    ],
)
def test_unknown_names_and_wrong_types_are_refused(here, name, value, words):
    with pytest.raises(ParameterError, match=words):
        stages.resolve(stages.get("legal_rag/01_first"), "quick", {name: value})


def test_the_profile_itself_is_held_to_the_types(here):
    text = (here.root / "notebooks/stages.toml").read_text()
    here.write("notebooks/stages.toml", text.replace("smoke = { n = 3 }", 'smoke = { n = "3" }'))
    with pytest.raises(ParameterError, match=r"profile smoke.*is str, not int"):
        stages.resolve(stages.get("legal_rag/01_first"), "smoke")


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("k = 5  # meaning", "not `name: type = literal`"),
        ("k: int = 2 + 3  # meaning", "malformed|literal"),
        ("k: int = 5", "no comment"),
        ("k: int = 'five'  # meaning", "is str, not int"),
        ("k: dict = {}  # meaning", "type 'dict'"),
        ("k: list[int | str] = [1]  # meaning", "type 'list"),
        ("k: int = (5  # meaning", "does not parse"),
        ("k: list[int] = [1, 'a']  # meaning", "not list\\[int\\]"),
    ],
)
def test_a_parameters_cell_is_annotated_literals_with_meanings(source, words):
    with pytest.raises(StageError, match=words):
        stages.parse_parameters(source, "here")


VALUES = {
    "int": st.integers(),
    "float": st.floats(allow_nan=False, allow_infinity=False),
    "bool": st.booleans(),
    "str": st.text(),
    "list[int]": st.lists(st.integers()),
    "list[str]": st.lists(st.text()),
    "int | None": st.none() | st.integers(),
}
NAMES = st.from_regex(r"p_[a-z]{1,8}", fullmatch=True)
CASES = st.dictionaries(NAMES, st.sampled_from(sorted(VALUES)).flatmap(lambda t: st.tuples(st.just(t), VALUES[t])))


@given(CASES)
def test_every_parameters_cell_reads_back(cases):
    source = "\n".join(f"{name}: {kind} = {value!r}  # meaning of {name}" for name, (kind, value) in cases.items())
    found = stages.parse_parameters(source, "here")
    assert {name: (p.type, p.default) for name, p in found.items()} == cases
    assert all(p.meaning == f"meaning of {name}" for name, p in found.items())


def test_a_wrapped_line_keeps_its_comment():
    found = stages.parse_parameters('k: str = (\n    "a"  # first\n)\nm: int = 2  # second', "here")
    assert [(p.name, p.meaning) for p in found.values()] == [("k", "first"), ("m", "second")]


@given(NAMES, st.one_of(*VALUES.values()))
def test_the_command_line_gives_back_json_values(name, value):
    assert stages.parse_override(f"{name}={json.dumps(value)}") == (name, value)


def test_the_command_line_takes_bare_strings_and_refuses_the_rest():
    assert stages.parse_override("label=a walk") == ("label", "a walk")
    with pytest.raises(ParameterError, match="name=value"):
        stages.parse_override("label")
