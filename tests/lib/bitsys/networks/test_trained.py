"""What is recorded of trained networks is of the present recipe, complete, and computes what it says it does."""

from __future__ import annotations

import numpy as np
import pytest

from triptych import stages
from triptych.bitsys.networks import images, integer, quantised, trained
from triptych.errors import DataError, ParameterError


@pytest.fixture(scope="module")
def recorded():
    return trained.recorded()


def jobs_of(frame):
    columns = ["kind", "mix", "seed", "source", "epochs"]
    return [trained.Job(*row) for row in frame[columns].itertuples(index=False)]


def test_the_record_is_of_the_present_recipe(recorded):
    for job, digest in zip(jobs_of(recorded), recorded["digest"], strict=True):
        assert trained.digest(job) == digest, f"{job}: train again, then python -m triptych keep bitsys/05_networks"


def test_the_record_holds_what_the_notebook_asks_for(recorded):
    words = stages.resolve(stages.get("bitsys/05_networks"), "quick")
    have = set(jobs_of(recorded))
    wanted = trained.Plan.of(words).todo
    assert set(wanted) <= have
    for kind, mixes in (("tfc", words["mixes"]), ("tcv", words["tcv_mixes"])):
        for mix in mixes:
            assert trained.network(recorded, kind, mix).widths == quantised.parse(mix)


@pytest.mark.parametrize("kind, mix", [("tfc", "8421"), ("tfc", "1111"), ("tcv", "1248")])
def test_recorded_integers_classify_as_recorded(recorded, kind, mix):
    test = images.load("digits").test
    network = trained.network(recorded, kind, mix)
    got = float(np.mean(integer.classify(network, test.pictures) == test.classes))
    row = recorded[(recorded["kind"] == kind) & (recorded["mix"] == mix) & recorded["network"].notna()].iloc[0]
    assert got == row["integer_accuracy"]


def test_known_rows_are_taken_and_nothing_is_trained(recorded, monkeypatch):
    monkeypatch.setattr(trained, "trained", lambda job: pytest.fail(f"trained {job}"))
    todo = jobs_of(recorded)[::7]
    again = trained.gather(todo, todo, recorded)
    assert jobs_of(again) == todo
    assert list(again["digest"]) == [trained.digest(job) for job in todo]


def test_a_series_goes_on_where_the_record_of_the_same_recipe_ends(recorded, monkeypatch):
    todo = jobs_of(recorded)[:3]
    older = recorded[:3].copy()
    older.loc[older.index[1], "digest"] = "of another recipe"
    asked = []
    monkeypatch.setattr(trained, "recorded", lambda: older)
    monkeypatch.setattr(trained, "_row", lambda job, keep: asked.append(job) or {**vars(job), "digest": "new"})
    frame = trained.go_on(trained.Plan(tuple(todo), ()))
    assert asked == [todo[1]]
    assert list(frame["digest"]) == [older["digest"].iloc[0], "new", older["digest"].iloc[2]]


def test_jobs_that_follow_from_a_plan_are_added_once(recorded, monkeypatch):
    first, second, third = jobs_of(recorded)[:3]
    monkeypatch.setattr(trained, "trained", lambda job: pytest.fail(f"trained {job}"))
    monkeypatch.setattr(trained, "recorded", lambda: recorded)
    frame = trained.go_on(trained.Plan((first, second), ()), lambda made: [jobs_of(made)[1], third])
    assert jobs_of(frame) == [first, second, third]


def test_what_is_left_begins_with_the_jobs_whose_integers_are_kept(recorded):
    first, second, third = jobs_of(recorded)[:3]
    plan = trained.Plan((first, second, third), (third,))
    assert plan.left(recorded[:1]) == [third, second]


def test_a_digest_is_of_every_part_of_a_job():
    jobs = [
        trained.Job("tfc", "8421", 0),
        trained.Job("tcv", "8421", 0),
        trained.Job("tfc", "8422", 0),
        trained.Job("tfc", "8421", 1),
        trained.Job("tfc", "8421", 0, "mnist"),
        trained.Job("tfc", "8421", 0, "digits", 1),
    ]
    assert len({trained.digest(job) for job in jobs}) == len(jobs)


def test_a_series_begins_with_the_first_seed_and_repeats_nothing():
    found = trained.series({"tfc": ["8888", "1248"]}, [3, 4])
    assert found[:2] == [trained.Job("tfc", "8888", 3), trained.Job("tfc", "1248", 3)]
    assert len(set(found)) == len(found) == 2 * (2 + 1 + 12)


def test_what_is_not_kept_is_told(recorded):
    with pytest.raises(DataError, match="no integers are kept for tfc-8148"):
        trained.network(recorded, "tfc", "8148")
    with pytest.raises(ParameterError, match="no network"):
        trained.trained(trained.Job("lenet", "8888", 0))
