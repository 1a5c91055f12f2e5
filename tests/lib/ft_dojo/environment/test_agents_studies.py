"""Ablation, causes, self-synthesis and branches: their arithmetic against oracles, their runs on a tiny budget."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triptych.errors import InputMissing, ParameterError
from triptych.ft_dojo import tasks, tiny
from triptych.ft_dojo.agents import ablation, branch, causes, synthesis, trial
from triptych.ft_dojo.agents.ft_agent import Components, FTAgent
from triptych.ft_dojo.agents.gates import Approver
from triptych.ft_dojo.agents.plan import Look, Situation
from triptych.ft_dojo.agents.planner import Planner
from triptych.ft_dojo.agents.remembered import RememberingWorker
from triptych.ft_dojo.agents.rules import Strategist
from triptych.ft_dojo.environment import task_folder
from triptych.ft_dojo.environment.budget import Limits, Spent
from triptych.ft_dojo.environment.session import Session
from triptych.ft_dojo.environment.training import TrainingWorker
from triptych.ft_dojo.tiny import FINE_TUNE

START = FINE_TUNE.but(steps=5, batch=8)
SMALL = Limits(nominal_cpu=3.0, evaluations=20, actions=80)
SIZES = {"train": 80, "val": 20, "select": 12, "test": 12}
isolated = pytest.mark.usefixtures("isolated")


@pytest.fixture(scope="module")
def remembering(base: tiny.Base, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RememberingWorker]:
    """One worker with a memory for all studies: importing torch costs more than their trainings."""
    with RememberingWorker(base, tmp_path_factory.mktemp("memory")) as worker:
        yield worker


# --- ablation ---------------------------------------------------------------------------------------------------------


@settings(max_examples=8, deadline=None)
@given(st.lists(st.integers(-9, 9), min_size=8, max_size=8))
def test_effects_are_the_coefficients_that_made_the_scores(worth: list[int]) -> None:
    """Scores made from known main effects and interactions give them back; the mean is coefficient 0."""
    rows = []
    for seed, on in itertools.product((0, 1), itertools.product((False, True), repeat=3)):
        # Treatment coding: an interaction adds only where all of its components are on.
        terms = [worth[1] * on[0], worth[2] * on[1], worth[3] * on[2]]
        terms += [worth[4] * (on[0] and on[1]), worth[5] * (on[0] and on[2]), worth[6] * (on[1] and on[2])]
        score = worth[0] + sum(terms) + worth[7] * all(on)
        rows.append({"task": "t", "seed": seed, "test": score, **dict(zip(ablation.FACTORS, on, strict=True))})
    found = ablation.effects(pd.DataFrame(rows)).set_index("effect")["mean"]
    ab, ac, bc, abc = worth[4:]
    assert found["history"] == pytest.approx(worth[1] + ab / 2 + ac / 2 + abc / 4)
    assert found["fail-fast"] == pytest.approx(worth[2] + ab / 2 + bc / 2 + abc / 4)
    assert found["history × feedback"] == pytest.approx(ac + abc / 2)
    assert found["history × fail-fast × feedback"] == pytest.approx(abc)
    with pytest.raises(ParameterError, match="eight"):
        ablation.effects(pd.DataFrame(rows[1:8]))


def test_waste_is_a_ratio_of_sums_with_an_interval_around_it() -> None:
    rows = pd.DataFrame(
        {"task": task, "seed": seed, "fail_fast": fast, "wasted": (1.0 if fast else 4.0) + seed}
        for task, seed, fast in itertools.product("ab", range(4), (False, True))
    )
    ratio, about = ablation.waste(rows)
    assert ratio == pytest.approx(100 * 10 / 22) and about.low is not None and about.high is not None
    assert 25 <= about.low < ratio < about.high <= 100 * 4 / 7
    rng, covered = np.random.default_rng(2), 0
    for _ in range(300):  # with four seeds of four tasks, true ratio 0.4
        drawn = pd.DataFrame(
            {"task": task, "seed": seed, "fail_fast": fast, "wasted": rng.gamma(4, (0.4 if fast else 1) * (1 + place))}
            for (place, task), seed, fast in itertools.product(enumerate("abcd"), range(4), (False, True))
        )
        _, found = ablation.waste(drawn)
        assert found.low is not None and found.high is not None
        covered += found.low <= 40 <= found.high
    assert 0.9 <= covered / 300 <= 0.99
    with pytest.raises(ParameterError, match="bad configurations"):
        ablation.waste(rows.assign(wasted=0.0))


def test_a_careless_proposer_spoils_its_share_and_mends_what_it_reads() -> None:
    look = Look(instruction="", total=100, changed={"drop_cut": 5}, n=100)

    def asked(turn: int, share: float) -> tuple[object, object]:
        situation = Situation(look=look, best=None, siblings=(), left=Spent(nominal_cpu=9.0), turn=turn, seed=3)
        careless = ablation.Careless(Strategist(START), share, "run")
        return careless.propose(situation), Strategist(START).propose(situation)

    assert all(asked(turn, 0.0)[0] == asked(turn, 0.0)[1] for turn in range(5))
    pairs = [asked(turn, 0.4) for turn in range(1, 300)]
    assert 0.3 < np.mean([a != b for a, b in pairs]) < 0.5
    assert all(asked(turn, 1.0)[0] != asked(turn, 1.0)[1] for turn in range(1, 20))
    with pytest.raises(ParameterError, match="share"):
        ablation.Careless(Strategist(), 1.5)


def test_every_slip_comes_before_one_comes_again_and_runs_differ() -> None:
    look = Look(instruction="", total=100, changed={}, n=100)

    def slips(run: str) -> list[str]:
        careless = ablation.Careless(Strategist(START), 0.5, run)
        found: list[str] = []
        for turn in range(12):
            situation = Situation(look=look, best=None, siblings=(), left=Spent(nominal_cpu=9.0), turn=turn, seed=3)
            plan, sound = careless.propose(situation), Strategist(START).propose(situation)
            assert plan is not None and sound is not None
            found += [slip for slip in ablation.SLIPS if plan == ablation.spoiled(sound, slip, turn)]
        return found

    runs = [slips(f"{task}/{seed}") for task in "abcd" for seed in range(3)]
    assert all(sorted(run[:4]) == sorted(ablation.SLIPS) for run in runs if len(run) >= 4)
    assert len({tuple(run) for run in runs}) > 8 and {run[0] for run in runs} == set(ablation.SLIPS)


@isolated
@pytest.mark.parametrize("slip", ablation.SLIPS)
def test_a_slip_fails_and_fail_fast_pays_less_for_it(
    slip: ablation.Slip, base: tiny.Base, remembering: RememberingWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ablation, "SLIPS", (slip,))
    rows = {}
    for fast in (False, True):
        agent = FTAgent(ablation.Careless(Strategist(START.but(steps=20)), 1.0), Components(fail_fast=fast), seed=0)
        rows[fast] = trial.play("finance", 0, base, remembering, lambda _, agent=agent: agent, SMALL, sizes=SIZES)
    assert rows[True]["ended"] == rows[False]["ended"] == "submitted"
    assert rows[True]["wasted"] < rows[False]["wasted"], rows
    if slip != "rate × 1000":  # a script that was read and corrected is trained on
        assert rows[True]["trainings"] > rows[False]["trainings"] == 0


def test_cells_are_whole_seeds_and_rows_outlive_a_kill(tmp_path: Path) -> None:
    wanted = ablation.cells(["a", "b"], [0, 1], 0.3)
    assert len(wanted) == 32 and {cell["seed"] for cell in wanted[:16]} == {0}
    kept, asked = tmp_path / "rows.jsonl", []

    def do(cell: object) -> dict[str, object]:
        if len(asked) == 20:
            raise KeyboardInterrupt
        asked.append(cell)
        return {"test": len(asked)}

    with pytest.raises(KeyboardInterrupt):
        trial.gather(wanted, do, kept)
    with kept.open("a") as file:
        file.write('{"cell": "cut off')
    asked.clear()
    rows = trial.gather(wanted[:30], do, kept)
    assert len(asked) == 10 and len(rows) == 30 and rows["test"].tolist()[:21] == [*range(1, 21), 1]
    assert len([json.loads(line) for line in kept.read_text().splitlines()]) == 30
    again = trial.gather(wanted[:30], lambda _: pytest.fail("made again"), kept)
    assert again.equals(rows)


def test_what_is_not_recorded_yet_is_shown_live_and_says_so() -> None:
    class Fresh:
        notes: ClassVar[list[tuple[str, str]]] = []

        def recorded(self, name: str, compute: Callable[[], object]) -> object:
            raise InputMissing(f"nothing is recorded for {name}")

        def note(self, kind: str, text: str) -> None:
            self.notes.append((kind, text))

    class Kept(Fresh):
        def recorded(self, name: str, compute: Callable[[], object]) -> object:
            return compute()

    assert trial.recorded(Kept(), "rows.parquet", lambda: "rows", "live") == "rows" and not Fresh.notes
    assert trial.recorded(Fresh(), "rows.parquet", lambda: "rows", "live") == "live"
    assert [kind for kind, _ in Fresh.notes] == ["missing"] and "rows.parquet" in Fresh.notes[0][1]


def test_each_variation_differs_from_the_agent_as_it_is_in_one_thing() -> None:
    cells = ablation.variations(["finance", "math"], [0, 1], [100], [2, 4])
    by = {cell["varied"]: set(cell) - {"task", "seed", "varied"} for cell in cells}
    assert by == {
        ablation.AS_IT_IS: set(),
        "at most 100 rows": {"cap"},
        "plans drawn": {"drawn"},
        "base of 2 layers": {"layers"},
        "base of 4 layers": {"layers"},
    }
    assert len(cells) == len({(cell["task"], cell["seed"], cell["varied"]) for cell in cells}) == 2 * 2 * 5


# --- causes -----------------------------------------------------------------------------------------------------------


def test_the_sequential_test_keeps_its_error_rates() -> None:
    rng = np.random.default_rng(0)
    wrong = {0.0: 0, 0.3: 0}
    for mean, _ in itertools.product(wrong, range(1000)):
        differences = []
        while (said := causes.sprt(differences, 0.3, 0.09, 0.05, 0.1)) is None:
            differences.append(rng.normal(mean, 0.3))
        wrong[mean] += said is not (mean > 0)
    assert wrong[0.0] <= 65 and wrong[0.3] <= 125, "about 5 % and 10 %, and no more than chance above"


class Imagined:
    """A bench whose scores follow a rule: `cost` of each change, and noise."""

    def __init__(self, cost: dict[str, float], spread: float, seed: int, budget: int = 1000) -> None:
        self.suspects, self.cost, self.spread, self.budget = tuple(cost), cost, spread, budget
        self.look = Look(instruction="", n=200)
        self.seed, self.done = seed, dict[tuple[frozenset[str], int], float]()

    @property
    def trainings(self) -> int:
        return len(self.done)

    def score(self, changed: frozenset[str], seed: int) -> float:
        if (changed, seed) not in self.done:
            if len(self.done) >= self.budget:
                raise causes.Spent
            noise = random.Random(f"{self.seed}/{sorted(changed)}/{seed}").gauss(0, self.spread)
            self.done[changed, seed] = 0.8 - sum(self.cost[name] for name in changed) + noise
        return self.done[changed, seed]


@pytest.mark.parametrize(("drop", "spread"), [(0.4, 0.04), (0.15, 0.05), (0.4, 0.1)])
def test_single_factor_finds_what_it_should_and_blames_nothing_else(drop: float, spread: float) -> None:
    right = false = found_none = 0
    for seed in range(100):
        one = causes.single_factor(Imagined({"a": 0.0, "b": drop, "c": 0.0, "d": 0.0}, spread, seed), random.Random(0))
        right += one.named == {"b"}
        false += len(one.named - {"b"})
        found_none += not causes.single_factor(
            Imagined({"a": 0.0, "b": 0.0, "c": 0.0}, spread, seed), random.Random(0)
        ).named
    assert right >= 90 and false <= 6 and found_none >= 90, (right, false, found_none)


def test_investigators_say_so_when_the_budget_is_spent() -> None:
    for who in causes.INVESTIGATORS.values():
        told = who(Imagined({"a": 0.0, "b": 0.4, "c": 0.0}, 0.04, 0, budget=5), random.Random(0))
        assert told.trainings <= 5 and (told.named <= {"a", "b", "c"})
    poor = causes.single_factor(Imagined({"a": 0.0, "b": 0.4, "c": 0.0}, 0.04, 0, budget=4), random.Random(0))
    assert poor.undecided == {"a", "b", "c"} and not poor.named


def test_a_shotgun_takes_back_any_part_and_blames_it_whole() -> None:
    cost = {"a": 0.0, "b": 0.4, "c": 0.0, "d": 0.0}
    blamed = [causes.shotgun(Imagined(cost, 0.02, seed), random.Random(seed)).named for seed in range(400)]
    assert np.mean(["b" in names for names in blamed]) > 0.99
    alone = np.mean([names == {"b"} for names in blamed])
    assert abs(alone - 1 / 7) < 0.06, "of the seven parts that hold b and are not all, one is b alone"


@isolated
def test_every_change_really_changes_the_training_and_a_case_is_played(
    base: tiny.Base, remembering: RememberingWorker, tmp_path: Path
) -> None:
    limits = Limits(nominal_cpu=20.0, evaluations=100, actions=400)
    for who in causes.INVESTIGATORS:
        cell = {"task": "finance", "seed": 0, "cause": "labels moved", "investigator": who}
        made = causes.play(cell, base, remembering, START, limits, SIZES)
        assert made["trainings"] >= 2 and made["seconds"] <= 20.0 and set(made["named"]) <= set(causes.CHANGES)
    card = task_folder.BaseModelCard(name="tiny", sha256=base.sha256)
    task = task_folder.write(tasks.make("math", 0, SIZES), tmp_path / "task", tmp_path / "hidden", card, limits)
    with Session(task, tmp_path / "run", remembering) as session:
        bench = causes.Bench(session, START, list(causes.CHANGES))
        texts = {}
        for name, change in causes.CHANGES.items():
            if change.code or change.after:
                data = bench.desk.data(bench._script(frozenset([name])))
                assert isinstance(data, tuple), (name, data)
                texts[name] = (session.folder / "data" / f"{data[0]}.jsonl").read_text()
            else:
                assert bench._spec(frozenset([name])) != START
        sound = bench.desk.data(bench._script(frozenset()))
        lines = (session.folder / "data" / f"{sound[0]}.jsonl").read_text().splitlines()
        assert len({*texts.values(), "\n".join(lines)}) == len(texts) + 1
        assert texts["rows in another order"].splitlines() == lines[::-1]
        assert "answer :" in lines[0] and "answer :" not in texts["another template"]
        pairs = [(json.loads(x), json.loads(y)) for x, y in zip(lines, texts["labels moved"].splitlines(), strict=True)]
        assert all(x["prompt"] == y["prompt"] for x, y in pairs)
        assert 0.4 < np.mean([x["completion"] != y["completion"] for x, y in pairs]) <= 0.75
    with pytest.raises(ParameterError, match="no change"):
        causes.cells(["math"], [0], ["bad luck"])


# --- self-synthesis ---------------------------------------------------------------------------------------------------


@settings(max_examples=20, deadline=None)
@given(st.lists(st.sampled_from(["3", "4", ""]), min_size=1, max_size=6))
def test_what_is_kept_is_what_the_checker_agrees_with(written: list[str]) -> None:
    item = tasks.make("math", 0, {"train": 1, "val": 1, "select": 1, "test": 1}).splits["train"][0]
    item = type(item)(item.id, item.template, item.slots, item.question, (), "3")
    checked = synthesis._judged("kept where the checker agrees", 0, item, written)
    assert checked.kept == ("3" if "3" in written else None) and checked.right == (True if "3" in written else None)
    assert sum(count for _, count in checked.written) == sum(bool(text) for text in written)
    free = synthesis._judged("kept unchecked", 0, item, written)
    assert free.kept is None or written.count(free.kept) == max(written.count(text) for text in ("3", "4"))


def test_every_question_is_accounted_for(base: tiny.Base) -> None:
    sizes = {"train": 40, "val": 1, "select": 1, "test": 10}
    runs = {arm: synthesis.run(arm, base, 0, START, 30, 3, 2, sizes) for arm in synthesis.ARMS}
    for arm in ("answered rows", "all solutions"):
        assert len(runs[arm].points) == 1 and not runs[arm].asked
    for arm in ("kept unchecked", "kept where the checker agrees"):
        counts = runs[arm].counts()
        assert len(counts) == 3 and counts[0]["asked"] == 10 and counts[-1]["asked"] == 0
        assert all(row["asked"] == row["kept"] + row["dropped"] for row in counts)
        assert runs[arm].points[0] == runs["answered rows"].points[0], "the first round knows what they know"
    checked = runs["kept where the checker agrees"]
    assert all(one.right for one in checked.asked if one.kept is not None)
    assert synthesis.run("kept unchecked", base, 0, START, 30, 3, 2, sizes) == runs["kept unchecked"]
    with pytest.raises(ParameterError, match="answered"):
        synthesis.run("kept unchecked", base, 0, START, 40, 1, 1, sizes)


# --- branches ---------------------------------------------------------------------------------------------------------


@isolated
def test_a_branch_shares_everything_up_to_its_decision(
    base: tiny.Base, worker: TrainingWorker, tmp_path: Path, write: Callable[..., task_folder.TaskFolder]
) -> None:
    task = write(nominal_cpu=3.0, evaluations=8, actions=60)

    def make(session: Session, approver: Approver) -> FTAgent:
        return FTAgent(Planner(session, START), seed=1, approver=approver)

    first = branch.play(task, tmp_path / "first", worker, make)
    gates = first.decisions()
    assert list(gates["gate"]) == list(range(1, len(gates) + 1))
    chosen = int(gates[gates["kind"] == "strategy"]["gate"].iloc[1])
    other = branch.branch(task, first, chosen, tmp_path / "other", worker, make)
    before = int(gates[gates["gate"] == chosen]["actions before"].iloc[0])
    assert branch.shared(first.trajectory, other.trajectory) == before > 0
    assert other.gates[:chosen] == first.gates[:chosen] and other.trajectory.steps != first.trajectory.steps
    again = branch.play(task, tmp_path / "again", worker, make)
    assert branch.shared(first.trajectory, again.trajectory) == len(first.trajectory.steps)
    figure, table = branch.compare([("as it was", first.trajectory), ("refused", other.trajectory)])
    assert len(figure.axes) == 1 and set(table["run"]) == {"as it was", "refused"}
    for number, folder in ((99, "new"), (chosen, "other")):
        with pytest.raises(ParameterError, match=r"gate|empty"):
            branch.branch(task, first, number, tmp_path / folder, worker, make)
