"""The door to unsloth: its worker for real once, its failures by stand-ins."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from triptych.errors import ModelError, ParameterError
from triptych.ft_dojo import language_models, tasks, trainer

TASK = tasks.make("finance", 0, {"train": 16, "val": 4, "select": 4, "test": 4})
SPEC = trainer.train_spec(method="lora", steps=2, batch=2, learning_rate=1e-4)


def test_importing_the_study_loads_nothing_heavy() -> None:
    code = (
        "import sys; import triptych.ft_dojo.comparison; heavy = {'torch', 'transformers', 'unsloth', 'trl', 'peft'}; "
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_hub_model_without_a_gpu_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(ParameterError, match="GPU") as error:
        language_models.fine_tune("Qwen/Qwen2.5-7B-Instruct", TASK.splits["train"], TASK.splits["test"], SPEC)
    assert language_models.SMOLLM2 in (error.value.hint or "")


def test_a_worker_that_fails_is_reported_with_its_last_words(tmp_path) -> None:
    (tmp_path / "config.json").write_text("{}")  # a folder that holds no model
    with pytest.raises(ModelError, match="worker ended with status"):
        language_models.fine_tune(str(tmp_path), TASK.splits["train"], TASK.splits["test"], SPEC)


@pytest.mark.slow
def test_unsloth_trains_smollm2_for_two_steps() -> None:
    losses: list[float] = []
    done = language_models.fine_tune(
        language_models.SMOLLM2, TASK.splits["train"], TASK.splits["test"], SPEC, lambda _, loss: losses.append(loss)
    )
    assert done.run.losses == losses
    assert len(losses) == 2
    assert done.run.tokens > 0
    assert done.before.shape == done.after.shape == (4, 4)
    assert np.isfinite(done.before).all()
    assert (done.before < 0).all()
    assert not np.array_equal(done.before, done.after)  # two steps move the scores
