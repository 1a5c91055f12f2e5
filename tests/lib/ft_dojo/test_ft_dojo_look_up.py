"""The first weights of the tiny base: its heads attend where they say they do, whatever the words are."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import LlamaConfig, LlamaForCausalLM

from triptych.ft_dojo import look_up, tiny, trainer, vocabulary

WORDS = vocabulary.words()
MODEL = tiny.build(tiny.TinySpec())
MODEL.set_attn_implementation("eager")  # the only one that shows its attention
said = st.lists(st.integers(3, len(WORDS) - 1), min_size=8, max_size=31, unique=True)


def _attention(ids: list[int]) -> dict[str, torch.Tensor]:
    with torch.no_grad():
        found = MODEL(input_ids=torch.tensor([ids]), output_attentions=True).attentions
    return {name: found[layer][0, head] for name, (layer, head) in look_up.HEADS.items()}


@settings(deadline=None, max_examples=40)
@given(said)
def test_copying_heads_attend_one_and_two_places_back(words: list[int]) -> None:
    seen = _attention([1, *words, *words])
    for name, back in (("previous", 1), ("before", 2)):
        places = range(back, 2 * len(words) + 1)
        assert all(seen[name][place, place - back] > 0.5 for place in places)


@settings(deadline=None, max_examples=40)
@given(said)
def test_matching_and_induction_heads_find_the_earlier_twin_and_what_followed_it(words: list[int]) -> None:
    """On average over a text: two words' signs may be alike by chance."""
    seen = _attention([1, *words, *words])
    second = range(len(words) + 1, 2 * len(words))
    twins = [seen["matching"][place, place - len(words)].item() for place in second]
    followers = [seen["induction"][place, place - len(words) + 1].item() for place in second]
    assert sum(twins) / len(twins) > 0.5
    assert sum(followers) / len(followers) > 0.7


def test_random_weights_attend_to_none_of_these() -> None:
    """The oracle of the oracle: the same measurement on a model in which nothing was laid out."""
    with trainer.deterministic(0):
        plain = LlamaForCausalLM(MODEL.config)
    ids = torch.tensor([[1, *range(10, 30), *range(10, 30)]])
    with torch.no_grad():
        found = plain(input_ids=ids, output_attentions=True).attentions
    for layer, head in look_up.HEADS.values():
        attended = found[layer][0, head]
        for back in (1, 2, 19, 20):
            assert attended.diagonal(-back)[20:].mean() < 0.3


def test_rooms_are_apart_and_inside_the_hidden_numbers() -> None:
    rooms = look_up.Rooms.of(MODEL.config)
    used = [
        place
        for room in (rooms.word, rooms.number, rooms.previous, rooms.before, rooms.twin)
        for place in range(room.start, room.stop)
    ]
    assert len(used) == len(set(used))
    assert max(used) < rooms.level < MODEL.config.hidden_size
    assert len(used) == rooms.level


def test_speeds_are_those_of_the_models_rotation() -> None:
    assert torch.allclose(torch.tensor(look_up.speeds(MODEL.config)), MODEL.model.rotary_emb.inv_freq, rtol=1e-5)


@given(st.integers(0, 99), st.integers(0, 99))
def test_features_of_numbers_repeat_with_their_periods(one: int, other: int) -> None:
    """Each circle's place is the same just for equal remainders: distance on it is 2 sin(pi * gap / period)."""
    ours, theirs = look_up.features(one), look_up.features(other)
    count = len(look_up.PERIODS)
    assert theirs[0] - ours[0] == pytest.approx((other - one) / 50)
    for place, period in enumerate(look_up.PERIODS[1:], start=1):
        gap = math.hypot(ours[1 + place] - theirs[1 + place], ours[count + place] - theirs[count + place])
        assert gap == pytest.approx(abs(2 * math.sin(math.pi * (one - other) / period)), abs=1e-9)


def test_only_numbers_have_features_and_all_embeddings_one_level() -> None:
    rooms = look_up.Rooms.of(MODEL.config)
    table = MODEL.get_input_embeddings().weight.detach()
    assert torch.allclose(table[:, rooms.level], torch.full((len(WORDS),), look_up.LEVEL))
    for number in (0, 7, 42, 99):
        mine = table[WORDS.index(str(number)), rooms.number]
        expected = torch.tensor(look_up.features(number))
        assert torch.nn.functional.cosine_similarity(mine, expected, dim=0) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("shape", [{"num_hidden_layers": 1}, {"hidden_size": 24}, {"num_attention_heads": 1}])
def test_a_model_without_room_is_told_and_refused(shape: dict[str, int]) -> None:
    config = LlamaConfig(**{"hidden_size": 96, "num_hidden_layers": 3, "num_attention_heads": 4, **shape})
    assert not look_up.fits(config)
    with pytest.raises(ValueError, match="no room"):
        look_up.Rooms.of(config)
