"""A worker with a memory gives what a worker without one gives, and trains nothing twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from triptych.ft_dojo import tiny
from triptych.ft_dojo.agents.remembered import RememberingWorker
from triptych.ft_dojo.environment.observations import Refusal
from triptych.ft_dojo.environment.training import Clock, TrainingWorker
from triptych.ft_dojo.trainer import TrainSpec

SPEC = TrainSpec(steps=3, batch=4, learning_rate=3e-3)
ROWS = [("what is 1 plus 2 ?\nanswer :", " 3 ."), ("what is 2 plus 2 ?\nanswer :", " 4 .")]
PROMPTS = [("what is 1 plus 1 ?\nanswer :", []), ("what is 2 plus 1 ?\nanswer :", [" 3 .", " 4 ."])]


def test_what_is_remembered_is_what_would_be_done_again(
    base: tiny.Base, worker: TrainingWorker, tmp_path: Path
) -> None:
    plain, digest = worker.train(ROWS, SPEC, tmp_path / "plain", Clock())
    answers = worker.answer(PROMPTS, tmp_path / "plain", Clock())
    for turn in range(2):
        with RememberingWorker(base, tmp_path / "memory") as remembering:
            assert remembering.ready() == worker.ready()
            assert remembering.training_size(ROWS, SPEC) == worker.training_size(ROWS, SPEC)
            assert remembering.scoring_size(PROMPTS) == worker.scoring_size(PROMPTS)
            into = tmp_path / f"model-{turn}"
            run, found = remembering.train(ROWS, SPEC, into, Clock())
            assert (found, run.losses) == (digest, plain.losses)
            assert (into / "model.safetensors").read_bytes() == (tmp_path / "plain/model.safetensors").read_bytes()
            assert remembering.answer(PROMPTS, into, Clock()) == answers
            assert remembering.answer(PROMPTS, None, Clock()) == worker.answer(PROMPTS, None, Clock())
            assert bool(remembering.done) == (turn == 0), "the second time no process was needed"
            again, other = remembering.train(ROWS, SPEC.but(seed=1), tmp_path / "other", Clock())
            assert again.losses != run.losses or other != found


def test_a_failed_training_fails_again_and_damage_is_found(
    base: tiny.Base, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    codes = iter(["timeout", "nan", "memory"])

    def failing(*_: object) -> None:
        raise Refusal(next(codes), "the loss became nan", "smaller steps")

    with monkeypatch.context() as patch:
        patch.setattr(TrainingWorker, "train", failing)
        for wanted in ("timeout", "nan", "nan", "nan"):  # of the clock's refusals nothing is remembered
            with RememberingWorker(base, tmp_path / "memory") as remembering, pytest.raises(Refusal) as caught:
                remembering.train(ROWS, SPEC.but(steps=9), tmp_path / "bad", Clock())
            assert caught.value.code == wanted and caught.value.hint == "smaller steps"
    with RememberingWorker(base, tmp_path / "memory") as remembering:
        remembering.train(ROWS, SPEC, tmp_path / "good", Clock())
    for weights in (tmp_path / "memory").glob("*/*.safetensors"):
        raw = bytearray(weights.read_bytes())
        raw[-1] ^= 1
        weights.write_bytes(raw)
    with RememberingWorker(base, tmp_path / "memory") as remembering, pytest.raises(Refusal) as caught:
        remembering.train(ROWS, SPEC, tmp_path / "good", Clock())
    assert caught.value.code == "state"
