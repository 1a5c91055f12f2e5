"""The trainer and the scores, on the tiny base with few steps."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from triptych.errors import ModelError, ParameterError
from triptych.ft_dojo import comparison, evaluate, tasks, tiny, trainer, vocabulary
from triptych.ft_dojo.evaluate import Accuracy
from triptych.ft_dojo.trainer import Example, TrainSpec

SMALL = tiny.TinySpec(
    hidden=16, layers=1, heads=2, feed_forward=32, train=TrainSpec(steps=4, batch=4, learning_rate=3e-3)
)
TASK = tasks.make("finance", 0, {"train": 64, "val": 12, "select": 12, "test": 24})


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TRIPTYCH_CACHE", str(tmp_path))
    return tmp_path


def _tune(spec: TrainSpec) -> tuple[list[float], np.ndarray]:
    tokenizer = vocabulary.tokenizer()
    model = tiny.build(SMALL)
    model, run = trainer.train(model, trainer.examples_of(TASK.splits["train"], tokenizer), spec)
    return run.losses, evaluate.option_scores(model, tokenizer, TASK.splits["test"])


@pytest.mark.parametrize("method", ["full", "lora"])
def test_same_seed_same_losses_and_scores_and_another_seed_others(method: str) -> None:
    torch.manual_seed(99)  # whatever the process did before must not matter
    first, scores = _tune(trainer.train_spec(method=method, steps=5, batch=8, seed=1))
    torch.manual_seed(7)
    again, scores_again = _tune(trainer.train_spec(method=method, steps=5, batch=8, seed=1))
    other, _ = _tune(trainer.train_spec(method=method, steps=5, batch=8, seed=2))
    assert first == again
    assert np.array_equal(scores, scores_again)
    assert first != other


@pytest.mark.parametrize("method", ["full", "lora"])
def test_training_lowers_the_loss(method: str) -> None:
    losses, _ = _tune(trainer.train_spec(method=method, steps=40, batch=16, learning_rate=1e-2))
    assert len(losses) == 40
    assert np.mean(losses[-5:]) < 0.8 * np.mean(losses[:5])


def test_lora_trains_fewer_numbers_than_full() -> None:
    examples = trainer.examples_of(TASK.splits["train"], vocabulary.tokenizer())
    runs = [
        trainer.train(tiny.build(SMALL), examples, trainer.train_spec(method=method, steps=1, lora_rank=1))[1]
        for method in ("full", "lora")
    ]
    assert runs[1].parameters < runs[0].parameters


def test_steps_are_streamed_and_tokens_counted() -> None:
    examples = [Example((1, 5, 6, 7), (3,)), Example((1, 5), (1,))]
    seen: list[tuple[int, float]] = []
    spec = trainer.train_spec(epochs=3, batch=2)
    _, run = trainer.train(tiny.build(SMALL), examples, spec, lambda step, loss: seen.append((step, loss)))
    assert seen == list(enumerate(run.losses))
    assert run.steps == len(run.losses) == 3
    assert run.tokens == 3 * 6


def test_the_loss_is_the_mean_surprise_at_the_targets_alone() -> None:
    examples = [Example((1, 5, 6, 7), (2, 3)), Example((1, 9, 8), (2,))]
    model = tiny.build(SMALL).eval()
    ids, mask, labels = trainer.collate(examples)
    with torch.no_grad():
        loss = model(input_ids=ids, attention_mask=mask, labels=labels).loss.item()
        alone = []
        for example in examples:
            logits = model(input_ids=torch.tensor([example.ids])).logits[0].log_softmax(-1)
            alone += [-logits[position - 1, example.ids[position]].item() for position in example.targets]
    assert loss == pytest.approx(np.mean(alone), rel=1e-5)


def test_scores_equal_one_unpadded_forward_pass_an_option() -> None:
    tokenizer, model = vocabulary.tokenizer(), tiny.build(SMALL).eval()
    items = TASK.splits["val"]
    batched = evaluate.option_scores(model, tokenizer, items)
    for row, item in enumerate(items):
        for column, option in enumerate(item.options):
            example = trainer.encode(item.prompt, item.completion(option), tokenizer)
            with torch.no_grad():
                logits = model(input_ids=torch.tensor([example.ids])).logits[0].log_softmax(-1)
            alone = sum(logits[position - 1, example.ids[position]].item() for position in example.targets)
            assert batched[row, column] == pytest.approx(alone, abs=1e-4)
    assert evaluate.predictions(np.array([[0, -1, -2, -3], [-9, -9, -9, -1.0]])) == ["A", "D"]


def test_packed_texts_have_the_loss_and_gradient_of_texts_one_a_row() -> None:
    examples = trainer.examples_of(TASK.splits["train"][:12], vocabulary.tokenizer()) + [Example((1, 9, 8), (2,))] * 9
    model = tiny.build(SMALL)
    plain, packed = (trainer.train_spec(steps=1, packing=packing) for packing in (False, True))
    assert len(trainer.pack(examples)[0]) < len(examples)
    losses, gradients = [], []
    for spec in (plain, packed):
        model.zero_grad()
        loss = trainer.loss_of(model, examples, spec)
        loss.backward()
        losses.append(loss.item())
        gradients.append(torch.cat([weight.grad.flatten() for weight in model.parameters()]))
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    assert torch.allclose(*gradients, atol=1e-5)


def test_label_smoothing_and_noise_do_what_they_say() -> None:
    examples = trainer.examples_of(TASK.splits["train"][:8], vocabulary.tokenizer())
    model = tiny.build(SMALL)
    plain = trainer.loss_of(model, examples, trainer.train_spec(steps=1)).item()
    words = len(vocabulary.words())
    logs = []
    with torch.no_grad():
        for example in examples:
            logits = model(input_ids=torch.tensor([example.ids])).logits[0].log_softmax(-1)
            logs += [-logits[position - 1].sum().item() / words for position in example.targets]
    smooth = trainer.loss_of(model, examples, trainer.train_spec(steps=1, label_smoothing=0.25)).item()
    assert smooth == pytest.approx(0.75 * plain + 0.25 * np.mean(logs), rel=1e-4)
    noisy = [trainer.loss_of(model, examples, trainer.train_spec(steps=1, neftune_alpha=5.0)).item() for _ in range(2)]
    assert len({plain, *noisy}) == 3


def test_a_learning_rate_out_of_all_proportion_stops_the_training() -> None:
    seen: list[float] = []
    examples = trainer.examples_of(TASK.splits["train"], vocabulary.tokenizer())
    spec = trainer.train_spec(steps=60, batch=8, learning_rate=30.0, schedule="constant")
    with pytest.raises(ModelError, match="the loss became"):
        trainer.train(tiny.build(SMALL), examples, spec, lambda _, loss: seen.append(loss))
    assert len(seen) < 60


def test_an_epoch_shows_every_example_once() -> None:
    examples = [Example((1, number), (1,)) for number in range(7)]
    stream = trainer.batches(examples, trainer.train_spec(epochs=1, batch=3, seed=4))
    seen = [example for _ in range(7) for example in next(stream)]
    for epoch in range(3):
        assert {example.ids for example in seen[7 * epoch : 7 * epoch + 7]} == {example.ids for example in examples}


def test_a_loss_that_is_not_finite_stops_the_training_at_once() -> None:
    model = tiny.build(SMALL)
    with torch.no_grad():
        next(model.parameters()).fill_(math.nan)
    steps: list[int] = []
    with pytest.raises(ModelError, match="step 0"):
        trainer.train(model, [Example((1, 5), (1,))], trainer.train_spec(steps=5), lambda step, _: steps.append(step))
    assert steps == []


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"steps": 0}, "steps"),
        ({"steps": 5, "learning_rate": -1.0}, "learning_rate"),
        ({"steps": 5, "learning_rate": math.inf}, "learning_rate"),
        ({"steps": 5, "label_smoothing": 1.0}, "label_smoothing"),
        ({"steps": 5, "neftune_alpha": -1.0}, "neftune_alpha"),
        ({"steps": 5, "method": "magic"}, "method"),
        ({"steps": 5, "gpu": True}, "gpu"),
        ({"steps": 5, "epochs": 2.0}, "length"),
        ({}, "length"),
    ],
)
def test_a_training_that_makes_no_sense_is_refused_by_name(fields: dict, named: str) -> None:
    with pytest.raises(ParameterError, match=named):
        trainer.train_spec(**fields)


def test_nothing_to_train_on_is_refused() -> None:
    with pytest.raises(ParameterError):
        trainer.train(tiny.build(SMALL), [], trainer.train_spec(steps=1))


def test_the_base_is_cached_by_what_decides_it(cache: Path) -> None:
    made = tiny.base(SMALL)
    stamp = (made.folder / "model.safetensors").stat().st_mtime_ns
    loaded = tiny.base(SMALL)
    assert (loaded.folder / "model.safetensors").stat().st_mtime_ns == stamp
    assert loaded.sha256 == made.sha256
    assert loaded.run == made.run
    more = SMALL.model_copy(update={"train": SMALL.train.model_copy(update={"seed": 1})})
    assert tiny.base(more).sha256 != made.sha256
    assert not list((cache / "ft_dojo").glob(".tiny-*"))


def test_pretraining_gives_the_same_weights_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    digests: set[str] = set()
    for name in ("one", "two"):
        monkeypatch.setenv("TRIPTYCH_CACHE", str(tmp_path / name))
        digests.add(tiny.base(SMALL).sha256)
    assert len(digests) == 1


def test_a_comparison_is_two_scores_of_one_task(cache: Path) -> None:
    done = comparison.tiny(tiny.base(SMALL), TASK, trainer.train_spec(steps=3, batch=8), split="val")
    table = comparison.frame([done])
    assert list(table["when"]) == ["before", "after"]
    assert (table["items"] == 12).all()
    assert ((table["low"] <= table["accuracy"]) & (table["accuracy"] <= table["high"])).all()
    assert list(comparison.losses([done])["loss"]) == done.run.losses


@given(st.integers(1, 300).flatmap(lambda total: st.tuples(st.integers(0, total), st.just(total))))
def test_intervals_are_clopper_pearson(counts: tuple[int, int]) -> None:
    """Against scipy's exact binomial tails: at each limit the observed count is just not surprising any more."""
    correct, total = counts
    low, high = Accuracy(correct, total, 0.25).interval
    if correct:
        assert stats.binom.sf(correct - 1, total, low) == pytest.approx(0.025, abs=1e-6)
    else:
        assert low == 0
    if correct < total:
        assert stats.binom.cdf(correct, total, high) == pytest.approx(0.025, abs=1e-6)
    else:
        assert high == 1


def test_exact_match_counts_and_refuses_missing_answers() -> None:
    items = TASK.splits["test"]
    gold = [item.label for item in items]
    assert evaluate.exact_match(gold, items, TASK.chance()).value == 1
    assert evaluate.exact_match(["A"] * len(items), items, TASK.chance()).value <= TASK.chance()
    assert evaluate.exact_match([""] * len(items), items, TASK.chance()).value == 0
    with pytest.raises(ParameterError):
        evaluate.exact_match(gold[1:], items, TASK.chance())
    with pytest.raises(ParameterError):
        Accuracy(0, 0, 0.25)
