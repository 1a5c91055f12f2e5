"""From a model to the text of its answers, and from samples to arms of one budget."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from triptych.ft_dojo import comparison, evaluate, tasks, tiny, trainer, vocabulary
from triptych.ft_dojo.trainer import TrainSpec

SMALL = tiny.TinySpec(
    hidden=16, layers=1, heads=2, feed_forward=32, train=TrainSpec(steps=4, batch=4, learning_rate=3e-3)
)
SIZES = {"train": 64, "val": 10, "select": 4, "test": 4}


def test_greedy_answers_are_the_argmax_of_full_passes_up_to_the_first_stop() -> None:
    """The oracle keeps no cache and no batch: it reads the whole text again for every word."""
    tokenizer, model = vocabulary.tokenizer(), tiny.build(SMALL).eval()
    prompts = [item.prompt for item in tasks.make("table_analysis", 0, SIZES).splits["val"]]
    found = evaluate.greedy(model, tokenizer, prompts, longest=6)
    for prompt, text in zip(prompts, found, strict=True):
        ids = list(tokenizer(prompt)["input_ids"])
        words: list[str] = []
        while len(words) < 6:
            with torch.no_grad():
                ids.append(int(model(input_ids=torch.tensor([ids])).logits[0, -1].argmax()))
            word = tokenizer.convert_ids_to_tokens(ids[-1])
            if word == ".":
                break
            words.append(word)
        assert text.split() == words


def test_answers_are_options_where_there_are_any_and_text_elsewhere() -> None:
    tokenizer, model = vocabulary.tokenizer(), tiny.build(SMALL)
    choice = tasks.make("finance", 0, SIZES).splits["val"]
    free = tasks.make("math", 0, SIZES).splits["val"]
    found = evaluate.answers(model, tokenizer, [*free[:3], *choice, *free[3:]])
    best = evaluate.option_scores(model, tokenizer, choice).argmax(axis=1)
    assert found[3 : 3 + len(choice)] == [item.options[place] for item, place in zip(choice, best, strict=True)]
    assert found[:3] == evaluate.greedy(model, tokenizer, [item.prompt for item in free[:3]])


def test_a_trained_model_answers_what_it_was_trained_on() -> None:
    tokenizer, model = vocabulary.tokenizer(), tiny.build(SMALL)
    prompts = ["one coins answer :", "two coins answer :"]
    pairs = [(prompts[0], " C C ( O ) C ."), (prompts[1], " 7 .")]
    examples = [trainer.encode(prompt, completion, tokenizer) for prompt, completion in pairs]
    model, _ = trainer.train(model, examples, trainer.train_spec(steps=120, batch=4, learning_rate=1e-2))
    assert evaluate.greedy(model, tokenizer, prompts) == ["C C ( O ) C", "7"]


def test_arms_are_one_budget_on_four_kinds_of_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIPTYCH_CACHE", str(tmp_path))
    task = tasks.make("table_fact_checking", 0, SIZES)
    done = comparison.arms(tiny.base(SMALL), task, trainer.train_spec(steps=3, batch=8))
    assert list(done.score) == list(comparison.ARMS)
    for arm, score in done.score.items():
        assert 0 <= score <= 1
        assert done.normalised[arm] == pytest.approx(task.normalised(score, "val"))
        assert done.seconds[arm] >= 0
