"""The training worker against the same code called directly, and its limits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from triptych.ft_dojo import evaluate, tasks, tiny, trainer
from triptych.ft_dojo.environment.observations import Refusal
from triptych.ft_dojo.environment.training import Clock, TrainingWorker
from triptych.ft_dojo.trainer import TrainSpec

SPEC = TrainSpec(steps=6, batch=8, learning_rate=2e-3, seed=3)


@pytest.fixture(scope="module")
def rows(made: tasks.Task) -> list[tuple[str, str]]:
    return [(item.prompt, item.completion(item.answer)) for item in made.splits["train"][:50]]


def test_it_trains_as_the_trainer_does_and_says_before_what_it_reads(
    worker: TrainingWorker, base: tiny.Base, rows: list[tuple[str, str]], tmp_path: Path
) -> None:
    size = worker.training_size(rows, SPEC)
    losses: list[float | None] = []
    run, digest = worker.train(rows, SPEC, tmp_path / "one", Clock(), lambda event: losses.append(event.loss))
    tokenizer, model = base.tokenizer(), base.load()
    direct, expected = trainer.train(model, [trainer.encode(*row, tokenizer) for row in rows], SPEC)
    assert run.losses == expected.losses == losses
    assert (size.tokens, size.batches) == (run.tokens, run.steps) == (expected.tokens, 6)
    made = load_file(tmp_path / "one" / "model.safetensors")
    for name, weight in direct.state_dict().items():
        if name in made:
            assert np.array_equal(made[name], weight.numpy())
    _, again = worker.train(rows, SPEC, tmp_path / "two", Clock())
    assert again == digest, "the base that a job starts from is never the last job's model"
    _, other = worker.train(rows, SPEC.but(seed=4), tmp_path / "three", Clock())
    assert other != digest


def test_it_answers_as_evaluation_does(worker: TrainingWorker, base: tiny.Base, made: tasks.Task) -> None:
    items = made.splits["val"][:12]
    model, tokenizer = base.load(), base.tokenizer()
    choices = [(item.prompt, [item.completion(option) for option in item.options]) for item in items]
    assert worker.answer(choices, None, Clock()) == evaluate.answers(model, tokenizer, items)
    written = [(item.prompt, list[str]()) for item in items]
    mixed = [*written[:6], *choices[6:]]
    expected = evaluate.greedy(model, tokenizer, [item.prompt for item in items[:6]])
    assert worker.answer(mixed, None, Clock()) == [
        *(text.strip() for text in expected),
        *evaluate.answers(model, tokenizer, items[6:]),
    ]
    assert worker.scoring_size(written).tokens > worker.scoring_size(written[:6]).tokens


@pytest.mark.parametrize(
    ("clock", "code"),
    [(Clock(wall=0.2), "timeout"), (Clock(cpu=0.1), "timeout"), (Clock(memory=50_000_000), "memory")],
    ids=["wall", "cpu", "memory"],
)
def test_a_job_over_its_limit_ends_and_the_worker_lives(
    worker: TrainingWorker, rows: list[tuple[str, str]], tmp_path: Path, clock: Clock, code: str
) -> None:
    process = worker._process
    with pytest.raises(Refusal) as refusal:
        worker.train(rows, SPEC.but(steps=50_000), tmp_path / "endless", clock)
    assert refusal.value.code == code
    assert worker.train(rows, SPEC.but(steps=1), tmp_path / "short", Clock())[0].steps == 1
    assert worker._process is process, "only the job's child was ended"
    assert not (tmp_path / "endless").exists()


def test_a_worker_that_was_killed_comes_back(base: tiny.Base, rows: list[tuple[str, str]], tmp_path: Path) -> None:
    with TrainingWorker(base.folder) as mortal:
        mortal.ready()
        assert mortal._process is not None
        mortal._process.kill()
        mortal._process.wait()
        assert mortal.train(rows, SPEC, tmp_path / "made", Clock())[0].steps == 6


def test_a_worker_that_is_killed_in_the_middle_of_a_job_is_noticed_while_the_job_still_talks(
    base: tiny.Base, rows: list[tuple[str, str]], tmp_path: Path
) -> None:
    with TrainingWorker(base.folder) as mortal:
        mortal.ready()
        assert mortal._process is not None
        with pytest.raises(Refusal, match="ended from outside"):
            mortal.train(rows, SPEC.but(steps=50_000), tmp_path / "lost", Clock(), lambda _: mortal._process.kill())
        assert mortal.train(rows, SPEC, tmp_path / "made", Clock())[0].steps == 6
