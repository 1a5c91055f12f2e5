"""First weights of the tiny base that can look things up before it was taught anything.

A Llama of this size learns from random weights to add and to copy, but not within minutes to find what stood beside an
earlier occurrence of a word: that takes two attention heads that are of use only together (Olsson et al., "In-context
Learning and Induction Heads", 2022, whose names are used here). So their first weights are written down instead of
waited for. Layer 0 gets two heads that copy the words one and two places before; layer 1 gets

- a matching head: each word finds its earlier twin and is told which word stood before that one;
- an induction head: each word finds the place after its earlier twin and predicts what stands there.

Numbers besides get their value and its remainders as parts of their embedding. Training is free to change all of it.

The hidden numbers of a place are dealt out as `Rooms` says. Positions enter by rotation (RoPE): pair i of a head's
numbers turns by position * theta^(-2i/d). The fast pairs tell distances apart and serve the copying heads, the slow
ones hardly turn within a text and serve the matching.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

THETA = 1e5  # RoPE's base; the usual 1e4 leaves fewer slow pairs
REACH = 64  # tokens over which a slow pair may turn by SLOW radians
SLOW = 0.6
SIZE = 0.1  # of a random embedding's numbers
SIGNS = 8  # numbers at least by which words are told apart
LEVEL = 3 * SIZE  # of the number that is the same in every embedding, by which heads attend to a distance
QUIET = 0.03  # what of the other weights' usual size is left in what a layer adds, so as not to drown the heads
PEAK = 10.0  # attention score by which a copying head prefers its place, before the softmax
MATCH = 12.0  # attention score of two equal words
AWAY = 4.0  # by which the matching head prefers a twin to the word itself
PERIODS = (2, 5, 10, 20, 50, 100)  # of the remainders in a number's embedding
HEADS = {"previous": (0, 0), "before": (0, 1), "matching": (1, 0), "induction": (1, 1)}  # layer and head


@dataclass(frozen=True)
class Rooms:
    """Which of the hidden numbers hold what.

    `word` is the part of the embedding that is compared and copied, `number` holds a number's features, `previous` and
    `before` the words one and two places back, `twin` the word before the earlier twin, `level` a constant.
    """

    word: slice
    number: slice
    previous: slice
    before: slice
    twin: slice
    level: int

    @classmethod
    def of(cls, config: LlamaConfig) -> Rooms:
        """The rooms of a configuration. Raises ValueError where they do not fit; see `fits`."""
        if not fits(config):
            raise ValueError("a model of this shape has no room for the heads")
        width = 2 * len(slow_pairs(config))
        starts = [0, width, width + len(features(0))]
        starts += [starts[-1] + width * place for place in (1, 2, 3)]
        slices = [slice(one, other) for one, other in itertools.pairwise(starts)]
        return cls(*slices, level=starts[-1])


def slow_pairs(config: LlamaConfig) -> list[int]:
    """The pairs of a head's numbers that turn by less than SLOW radians over REACH tokens."""
    return [pair for pair, speed in enumerate(speeds(config)) if speed * REACH < SLOW]


def speeds(config: LlamaConfig) -> list[float]:
    """Radians a token by which each pair of a head's numbers turns."""
    half = _head_size(config) // 2
    return [THETA ** (-pair / half) for pair in range(half)]


def fits(config: LlamaConfig) -> bool:
    """Whether a model has two layers of two heads, SIGNS at least to tell words by, and room for all rooms."""
    width = 2 * len(slow_pairs(config))
    room = config.hidden_size - (4 * width + len(features(0)) + 1)
    return config.num_hidden_layers >= 2 and config.num_attention_heads >= 2 and width >= SIGNS and room >= 0


def features(number: int) -> list[float]:
    """A number's value, scaled to about ±1, and its place on circles of PERIODS: equal remainders, equal features."""
    turns = [2 * math.pi * number / period for period in PERIODS]
    return [number / 50 - 1, *(math.cos(turn) for turn in turns), *(math.sin(turn) for turn in turns[1:])]


def lay_out(model: LlamaForCausalLM, words: list[str]) -> None:
    """Write the heads and the numbers' features into an untrained model, in place, drawing from torch's generator.

    `words` is the vocabulary by token id. Raises ValueError where the model has no room (`fits`).
    """
    import torch

    config = model.config
    rooms = Rooms.of(config)
    with torch.no_grad():
        for layer in _layers(model):
            layer.mlp.down_proj.weight.mul_(QUIET)
            layer.self_attn.o_proj.weight.mul_(QUIET)
        table: Any = model.get_input_embeddings().weight
        _embed(table, words, rooms)
        _copy(model, "previous", 1, rooms.word, rooms.previous)
        _copy(model, "before", 2, rooms.word, rooms.before)
        _match(model, "matching", rooms.word, rooms.previous, rooms.twin, away=AWAY)
        _match(model, "induction", rooms.previous, rooms.word, rooms.word, away=0.0)


def _embed(table: torch.Tensor, words: list[str], rooms: Rooms) -> None:
    """Random signs to compare words by, features for numbers, room for what the heads write, and the level."""
    import torch

    table.copy_(SIZE * torch.randn_like(table))
    table[:, rooms.word] = SIZE * torch.sign(table[:, rooms.word])
    for token, word in enumerate(words):
        if word.isdigit():
            table[token, rooms.number] = SIZE * torch.tensor(features(int(word)))
    table[:, rooms.previous.start : rooms.twin.stop] *= QUIET
    # Rows of one length: a copying head compares constants, and normalisation must leave them so.
    table.mul_(
        SIZE * math.sqrt(table.shape[1] - 3 * (rooms.word.stop - rooms.word.start)) / table.norm(dim=1, keepdim=True)
    )
    table[:, rooms.level] = LEVEL


def _copy(model: LlamaForCausalLM, name: str, back: int, source: slice, target: slice) -> None:
    """A head that attends `back` places back and writes `source` there to `target` here.

    Query and key are constants; rotated by their positions m and n, their score is a sum of cos((m - n - back)*speed)
    over the pairs, which is largest at m - n = back.
    """
    head = _Head(model, name)
    fast = [pair for pair in range(head.size // 2) if pair not in slow_pairs(model.config)]
    level = _normalised(model, 0, LEVEL)
    for pair in fast:
        turn = -back * head.speeds[pair]
        size = math.sqrt(PEAK * math.sqrt(head.size)) / level
        head.key[pair, Rooms.of(model.config).level] = size
        head.query[pair, Rooms.of(model.config).level] = size * math.cos(turn)
        head.query[pair + head.size // 2, Rooms.of(model.config).level] = size * math.sin(turn)
    head.write(source, target)


def _match(model: LlamaForCausalLM, name: str, there: slice, told: slice, target: slice, away: float) -> None:
    """A head whose word looks for places whose `there` holds the same word, and writes their `told` to `target`."""
    head = _Head(model, name)
    rooms = Rooms.of(model.config)
    slow = slow_pairs(model.config)
    numbers = [*slow, *(pair + head.size // 2 for pair in slow)]
    size = SIZE if there == rooms.word else 1.4 * SIZE
    sizes = _normalised(model, 1, SIZE) * _normalised(model, 1, size)
    gain = math.sqrt(MATCH * math.sqrt(head.size) / (len(numbers) * sizes))
    for place, number in enumerate(numbers):
        head.query[number, rooms.word.start + place] = gain
        head.key[number, there.start + place] = gain
    # Fast pairs, turned against each other: the score is lowest near the word itself.
    fast = [pair for pair in range(head.size // 2) if pair not in slow]
    size = math.sqrt(away / len(fast) * math.sqrt(head.size)) / _normalised(model, 1, LEVEL)
    for pair in fast:
        head.query[pair, rooms.level] = size
        head.key[pair, rooms.level] = -size
    head.write(told, target)


def _normalised(model: LlamaForCausalLM, layer: int, size: float) -> float:
    """What a hidden number of this size is after the layer's normalisation: numbers in the rooms over their mean."""
    rooms = Rooms.of(model.config)
    width = rooms.word.stop - rooms.word.start
    filled = model.config.hidden_size - 3 * width - 1
    squares = filled * SIZE**2 + LEVEL**2 + (2 * width * (1.4 * SIZE) ** 2 if layer else 0.0)
    return size / math.sqrt(squares / model.config.hidden_size)


def _layers(model: LlamaForCausalLM) -> Any:
    """The layers; torch's stubs lose what a ModuleList holds."""
    return model.model.layers


def _head_size(config: LlamaConfig) -> int:
    return config.hidden_size // config.num_attention_heads


class _Head:
    """The weights of one head, as views into the model: query and key (size, hidden), and how to copy by it."""

    def __init__(self, model: LlamaForCausalLM, name: str) -> None:
        layer, head = HEADS[name]
        self.size = _head_size(model.config)
        self.speeds = speeds(model.config)
        self.attention = _layers(model)[layer].self_attn
        self.rows = slice(head * self.size, (head + 1) * self.size)
        self.query: torch.Tensor = self.attention.q_proj.weight[self.rows]
        self.key: torch.Tensor = self.attention.k_proj.weight[self.rows]
        self.scale = 1.4 * SIZE / _normalised(model, layer, SIZE if layer == 0 or name == "induction" else 1.4 * SIZE)
        for weights in (self.query, self.key):
            weights.mul_(QUIET)

    def write(self, source: slice, target: slice) -> None:
        """What is found is read from `source` and added to `target`, in the size of 1.4 * SIZE."""
        self.attention.v_proj.weight[self.rows] *= QUIET
        self.attention.o_proj.weight[:, self.rows] *= QUIET
        for place in range(source.stop - source.start):
            self.attention.v_proj.weight[self.rows.start + place, source.start + place] = 1.0
            self.attention.o_proj.weight[target.start + place, self.rows.start + place] = self.scale
