"""Agents at work on a tiny budget: every run ends with a verdict, and the same seed gives the same run."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triptych.ft_dojo import tasks, trajectory
from triptych.ft_dojo.agents import baselines, data_tools, feedback, rules, scripts
from triptych.ft_dojo.agents.ft_agent import Components, FTAgent
from triptych.ft_dojo.agents.plan import Hypothesis, Look, Plan, Scored, Situation
from triptych.ft_dojo.agents.rules import Strategist
from triptych.ft_dojo.environment import actions
from triptych.ft_dojo.environment.budget import Charge, Spent
from triptych.ft_dojo.environment.observations import ErrorObservation
from triptych.ft_dojo.environment.session import Session
from triptych.ft_dojo.tiny import FINE_TUNE

BUDGET = {"nominal_cpu": 2.5, "evaluations": 6, "actions": 40}
START = FINE_TUNE.but(steps=5, batch=8)
Begin = Callable[..., Session]


def row(question: str, answer: str, options: list[str] | None = None) -> data_tools.Row:
    return {"question": question, "answer": answer, "options": options or []}


SOUND = [row(f"a has {a} and finds {b} . how many ?", str(a + b)) for a in range(2, 9) for b in range(3, 9)]


@pytest.mark.parametrize(
    ("step", "bad", "wanted"),
    [
        ("exchange", row("7", "a has 3 and finds 4 . how many ?"), "7"),
        ("drop_blank", row("a has 1 and finds 1 . how many ?", " "), None),
        ("drop_cut", row("a has 3 and", "7"), None),
        ("to_option", row("which one ?", "see B", ["A", "B"]), "B"),
        ("to_option", row("which one ?", "see A or B", ["A", "B"]), None),
        ("unwrap", row("a has 30 and finds 4 . how many ?", "it is 34 coins"), "34"),
        ("drop_odd", row("a has 30 and finds 4 . how many ?", "thirty four"), None),
        ("drop_echo", row("a has 30 and finds 4 . how many ?", "a has 30 and finds 4"), None),
        ("drop_repeats", SOUND[0], "5"),
        ("drop_conflicts", row(SOUND[0]["question"], "90"), None),
        ("drop_miscalculated", row("a has 30 and finds 4 . how many ?", "26"), None),
    ],
)
def test_a_cleaning_step_mends_or_drops_what_it_is_for_and_nothing_else(
    step: str, bad: data_tools.Row, wanted: str | None
) -> None:
    more = [bad, bad] if step == "unwrap" else [bad]  # one alone is no pattern
    rows = data_tools.STEPS[step]([*SOUND, SOUND[0], *more] if step == "drop_conflicts" else [*SOUND, *more])
    answers = [entry["answer"] for entry in rows]
    assert set(map(str, answers)) >= {entry["answer"] for entry in SOUND}
    extra = len(rows) - len(SOUND) - (step == "drop_conflicts")
    assert extra == (0 if wanted is None or step == "drop_repeats" else len(more))
    assert wanted is None or answers[-1] == wanted or step == "drop_repeats"


def test_the_same_item_in_other_words_is_kept_once_unless_too_many_are_alike() -> None:
    wordings = ("a has {0} and finds {1} . how many ?", "{0} and {1} a finds . has a how many ?")
    rows = [row(wordings[n % 2].format(n, n + 50), str(2 * n + 50)) for n in range(2, 42)]
    near = [row(wordings[n % 2].format(n, n + 50), str(2 * n + 50)) for n in (3, 8)]  # the other wording
    other = [row(wordings[1].format(2, 52), "7"), row(wordings[1].format(52, 99), "151")]  # answer, or number, differs
    mixed = [*rows, *(row(wordings[1 - n % 2].format(n, n + 50), str(2 * n + 50)) for n in (3, 8)), *other]
    assert data_tools.drop_near(mixed) == [*rows, *other]
    assert data_tools.drop_near([*rows, *near]) == rows, "and in the same words"
    many = [row(wordings[1 - n % 2].format(n, n + 50), str(2 * n + 50)) for n in range(2, 12)]
    assert data_tools.drop_near([*rows, *many]) == [*rows, *many], "a task of few questions is left alone"


@given(st.lists(st.builds(row, st.text("ab1 .?", max_size=12), st.text("ab1 .", max_size=8)), max_size=30))
def test_no_rows_break_a_step(rows: list[data_tools.Row]) -> None:
    kept, changed = data_tools.clean(rows, list(data_tools.STEPS))
    assert len(kept) <= len(rows) and set(changed) == set(data_tools.STEPS) == set(scripts.STEPS)
    assert {rule.step for rule in rules.DATA_RULES} == set(scripts.STEPS), "every step has a rule with its reason"


scores = st.lists(st.integers(0, 100), min_size=1, max_size=3).map(
    lambda values: [
        Scored(model=str(place), seed=place, score=value / 100, n=100) for place, value in enumerate(values)
    ]
)


@given(scores, scores, st.booleans())
def test_a_point_estimate_alone_never_decides(new: list[Scored], old: list[Scored], can_repeat: bool) -> None:
    decision, _ = feedback.judge(new, old, can_repeat)
    gap = sum(s.score for s in new) / len(new) - sum(s.score for s in old) / len(old)
    assert decision != "accept" or gap > math.sqrt(0.25 / 102 / 3) * 0.1, "some error is always allowed for"
    assert not (decision == "accept" and gap <= 0) and not (decision == "repeat" and len(new) == 3)
    assert decision != "repeat" or can_repeat
    opposite, _ = feedback.judge(old, new, False)
    assert not (decision == opposite == "accept")


def test_features_of_a_curve_and_clusters_of_wrong_items() -> None:
    falling = feedback.curve([4 - 0.03 * place for place in range(100)])
    flat = feedback.curve([4.0 - 3 * min(place / 20, 1) for place in range(100)])
    assert falling.slope < -0.3 < flat.slope == 0 and falling.first > falling.last
    wrong = [
        {"prompt": "p", "answered": a, "expected": e}
        for a, e in (("5", "6"), ("3", "4"), ("x", "4"), ("", "4"), ("a b c", "c b a"), ("a b", "a b c"))
    ]
    found = {cluster.what: cluster.count for cluster in feedback.clusters(wrong)}
    assert found == {
        "off by -1": 2, "words for a number": 1, "no answer": 1, "the right words in another order": 1, "too short": 1,
    }  # fmt: skip


def test_the_strategist_repairs_by_its_table_and_builds_on_the_best() -> None:
    look = Look(instruction="", total=100, changed={"drop_cut": 5, "unwrap": 0, "drop_odd": 90}, n=100)
    situation = Situation(look=look, best=None, siblings=(), left=Spent(nominal_cpu=9.0), turn=0, seed=3)
    strategist = Strategist()
    plan = strategist.propose(situation)
    assert plan is not None and plan.steps == ("drop_cut",) and plan.spec.seed == 3
    assert plan == strategist.propose(situation)

    def error(code: str) -> ErrorObservation:
        return ErrorObservation.model_validate({"code": code, "message": "m", "hint": "h", "charged": Charge()})

    repaired = strategist.repair(situation, plan, error("nan"))
    assert repaired is not None and repaired.spec.learning_rate == pytest.approx(plan.spec.learning_rate / 4)
    assert strategist.repair(situation, plan, error("leak")) is None


# --- whole runs -------------------------------------------------------------------------------------------------------

isolated = pytest.mark.usefixtures("isolated")


def played(begin: Begin, agent: object, folder: str, **more: float) -> tuple[object, bytes, bytes]:
    session = begin(folder, **{**BUDGET, **more})
    verdict = agent.play(session)
    session.close()
    notes = session.folder / trajectory.NOTES
    return verdict, (session.folder / "journal.jsonl").read_bytes(), notes.read_bytes() if notes.exists() else b""


@isolated
def test_ft_agent_plays_a_run_twice_alike_and_says_why(begin: Begin) -> None:
    verdict, journal, notes = played(begin, FTAgent(Strategist(START), seed=1), "one")
    assert verdict.ended == "submitted" and verdict.proposer == "rules" and verdict.tried >= 2
    assert (verdict, journal, notes) == played(begin, FTAgent(Strategist(START), seed=1), "two")
    assert played(begin, FTAgent(Strategist(START), seed=2), "three")[1] != journal
    read = trajectory.read(begin("one", **BUDGET).folder)
    assert not read.flags
    kinds = [note.kind for step in read.steps for note in step.notes]
    assert kinds[0] == "hypothesis" and kinds[-1] == "verdict"
    stages = [
        (step.outcome.action, (step.action or {}).get("debug"), (step.action or {}).get("micro")) for step in read.steps
    ]
    full = stages.index(("train", None, False))
    assert stages.index(("run_data_script", True, None)) < stages.index(("train", None, True)) < full
    runs = [step.action["code"] for step in read.steps if step.outcome.action == "run_data_script"]
    assert max(runs.count(code) for code in runs) <= 2, "a passed stage is not repeated"


@isolated
@pytest.mark.parametrize("off", ["history", "fail_fast", "feedback"])
def test_each_component_can_be_switched_off(begin: Begin, off: str) -> None:
    agent = FTAgent(Strategist(START), Components(**{off: False}), seed=1)
    verdict, journal, notes = played(begin, agent, off)
    assert verdict.ended == "submitted" and off not in verdict.agent.split("[")[1]
    rows = [json.loads(line)["action"] for line in journal.splitlines()[1:]]
    rehearsals = [row for row in rows if row["kind"] == "train" and row["micro"]]
    assert bool(rehearsals) == (off != "fail_fast")
    assert (b'"repeat"' in notes) <= (off != "feedback")
    assert off != "feedback" or rows[-1]["rivals"] == []


class Reckless:
    """Proposes what cannot work: a script that is no Python, one that fails, learning rates that explode."""

    name = "reckless"

    def __init__(self, session: Session) -> None:
        self.session, self.asked = session, 0

    def propose(self, situation: Situation) -> Plan | None:
        self.asked += 1
        sound = scripts.raw(2000)
        script, rate = [("def", 1e-3), ("1/0", 1e-3), (sound, 1e30), (sound, 2e30)][self.asked % 4]
        hypothesis = Hypothesis(factor=f"try {self.asked}", direction="up", mechanism="none", falsifier="any")
        return Plan(script=script, spec=START.but(steps=12, learning_rate=rate, seed=self.asked), hypothesis=hypothesis)

    def repair(self, situation: Situation, plan: Plan, error: ErrorObservation) -> Plan | None:
        return plan  # the same again


@isolated
def test_failing_plans_are_cheap_with_fail_fast_and_end_the_run_either_way(begin: Begin) -> None:
    spent = {}
    for fast in (True, False):
        session = begin(f"fast-{fast}", **BUDGET)
        verdict = FTAgent(Reckless(session), Components(fail_fast=fast), seed=0).play(session)
        assert verdict.ended == "submitted" and verdict.model == "base" and "failed" in verdict.reason
        spent[fast] = verdict.wasted
    assert spent[True] == 0.0 < spent[False]


@isolated
def test_a_crashed_agent_resumes_to_the_same_bytes(begin: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    verdict, journal, notes = played(begin, FTAgent(Strategist(START), seed=1), "whole")
    step, count = Session.step, 0

    def dying(self: Session, given: object) -> object:
        nonlocal count
        count += 1
        if count == 9:
            raise RuntimeError("the agent's process is gone")
        return step(self, given)

    session = begin("broken", **BUDGET)
    with monkeypatch.context() as patch:
        patch.setattr(Session, "step", dying)
        with pytest.raises(Exception, match="gone"):
            FTAgent(Strategist(START), seed=1).play(session)
    session.close()
    assert played(begin, FTAgent(Strategist(START), seed=1), "broken") == (verdict, journal, notes)


@isolated
def test_every_baseline_ends_unflagged_and_repeats_itself(begin: Begin, made: tasks.Task) -> None:
    agents = [
        baselines.Base(), baselines.Default(0, START), baselines.HumanRecipe(0, 1), baselines.Oracle(made, 0, 1, 5),
        *baselines.searches(0),
    ]  # fmt: skip
    assert len({agent.name for agent in agents}) == len(agents)
    for agent in agents:
        searching = agent.name in ("random search", "TPE", "hill climbing")
        more = {"nominal_cpu": 6.0} if searching else {}
        verdict, journal, _ = played(begin, agent, agent.name, **more)
        assert verdict.ended == "submitted", verdict
        assert not trajectory.read(begin(agent.name, **{**BUDGET, **more}).folder).flags
        if searching:
            assert verdict.tried >= 2
            assert played(begin, type(agent)(0), f"{agent.name} again", **more)[1] == journal


def test_the_oracles_script_writes_exactly_the_oracles_rows(
    made: tasks.Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "public").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "public/train.jsonl").write_bytes(made.public_jsonl())
    monkeypatch.chdir(tmp_path)
    code = baselines.oracle_script(made, 2000)
    exec(compile(code, "script", "exec"), {"__name__": "script"})
    rows = [json.loads(line) for line in (tmp_path / "out/train.jsonl").read_text().splitlines()]
    wanted = {(sample.prompt, sample.completion) for sample in made.oracle_samples()}
    assert {(entry["prompt"], entry["completion"]) for entry in rows} == wanted


def test_the_oracles_script_of_every_whole_task_is_one_that_the_environment_takes() -> None:
    for name in tasks.names():
        actions.RunDataScript(code=baselines.oracle_script(tasks.make(name, 0), 2000))
