"""Networks that are trained to live with few bits: TFC and TCV in brevitas, and how they are trained.

A *mix* gives the bits of each layer, for its weights and for the activations it reads: (8, 4, 2, 1) is written 8421.
One bit is bipolar on both sides (-1, +1); more bits are unsigned activations times signed weights. None stands for a
network in floating point. There are no biases; a batch norm follows every layer but the last, and is folded when the
network becomes integers.

TFC is 784-64-64-64-10, TCV is conv3×3 1→64, pool, conv3×3 64→64, pool, 3136→64→10 (arXiv 2602.23334 names both after
FINN's networks). What a bipolar layer pads a map with is -1, since it has no 0.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal, get_args

import brevitas.nn as qnn
import numpy as np
import numpy.typing as npt
import torch
from brevitas.core.stats import AbsAve
from brevitas.quant import (
    Int8WeightPerTensorFloat,
    SignedBinaryActPerTensorConst,
    SignedBinaryWeightPerTensorConst,
    Uint8ActPerTensorFloat,
)
from torch import nn

from triptych.bitsys.networks.images import Images, Part
from triptych.errors import ParameterError

Kind = Literal["tfc", "tcv"]
KINDS: tuple[Kind, ...] = get_args(Kind)

Mix = tuple[int, ...]

MIXES: tuple[str, ...] = (
    "1111", "2222", "4444", "8888", "8421", "1248", "1112", "1114", "1118", "2111", "4111", "8111", "8241",
)  # fmt: skip
"""Uniform precisions and the named mixes, bits of each layer."""

EPOCHS = {"tfc": 30, "tcv": 5}
RATE = 2e-3
BATCH = 50


def _with(base: Any, **settings: Any) -> Any:
    """One of brevitas' quantisers with other settings."""
    return base.let(**settings)


_PixelQuant = _with(Uint8ActPerTensorFloat, scaling_impl_type="const", scaling_init=1.0)  # the largest code is 1
_BipolarAct = _with(SignedBinaryActPerTensorConst, scaling_init=1.0)
# Two bits: -1, 0, 1 times the mean magnitude, for the largest one would make nearly all weights 0.
_TernaryWeight = _with(Int8WeightPerTensorFloat, scaling_stats_impl=AbsAve, bit_width=2)


class Shift(nn.Module):
    """Adds a constant: bipolar pixels are cut at one half."""

    def __init__(self, by: float) -> None:
        super().__init__()
        self.by = by

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.by


def parse(mix: str, layers: int = 4) -> Mix:
    """`8421` as (8, 4, 2, 1). Raises ParameterError for other digits or another number of them."""
    if len(mix) != layers or any(digit not in "1248" for digit in mix):
        raise ParameterError(f"{mix!r} is no mix of {layers} layers", "a digit 1, 2, 4 or 8 for each layer, as in 8421")
    return tuple(int(digit) for digit in mix)


def build(kind: Kind, mix: Mix | None) -> nn.Sequential:
    """An untrained network. Takes pictures (n, 1, 28, 28) from 0 to 1, gives ten numbers."""
    if kind == "tfc":
        layers: list[nn.Module] = [*_pixels(mix), nn.Flatten()]
        for index, (inputs, outputs) in enumerate(((784, 64), (64, 64), (64, 64))):
            layers += [_dense(inputs, outputs, mix, index), nn.BatchNorm1d(outputs), _activation(mix, index + 1)]
        return nn.Sequential(*layers, _dense(64, 10, mix, 3))
    layers = _pixels(mix)
    for index, inputs in enumerate((1, 64)):
        layers += _convolution(inputs, 64, mix, index)
        layers += [nn.BatchNorm2d(64), _activation(mix, index + 1), nn.MaxPool2d(2)]
    layers += [nn.Flatten(), _dense(3136, 64, mix, 2), nn.BatchNorm1d(64), _activation(mix, 3)]
    return nn.Sequential(*layers, _dense(64, 10, mix, 3))


def _pixels(mix: Mix | None) -> list[nn.Module]:
    if mix is None:
        return []
    if mix[0] == 1:
        return [Shift(-0.5), qnn.QuantIdentity(act_quant=_BipolarAct)]
    return [qnn.QuantIdentity(act_quant=_PixelQuant, bit_width=mix[0])]


def _activation(mix: Mix | None, reader: int) -> nn.Module:
    """What the layer number `reader` reads."""
    if mix is None:
        return nn.ReLU()
    if mix[reader] == 1:
        return qnn.QuantIdentity(act_quant=_BipolarAct)
    return qnn.QuantReLU(act_quant=Uint8ActPerTensorFloat, bit_width=mix[reader])


def _weights(width: int) -> dict[str, Any]:
    if width == 1:
        return {"weight_quant": SignedBinaryWeightPerTensorConst}
    if width == 2:
        return {"weight_quant": _TernaryWeight}
    return {"weight_quant": Int8WeightPerTensorFloat, "weight_bit_width": width}


def _dense(inputs: int, outputs: int, mix: Mix | None, index: int) -> nn.Module:
    if mix is None:
        return nn.Linear(inputs, outputs, bias=False)
    return qnn.QuantLinear(inputs, outputs, bias=False, **_weights(mix[index]))


def _convolution(inputs: int, outputs: int, mix: Mix | None, index: int) -> list[nn.Module]:
    if mix is None:
        return [nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)]
    if mix[index] == 1:
        return [nn.ConstantPad2d(1, -1.0), qnn.QuantConv2d(inputs, outputs, 3, bias=False, **_weights(1))]
    return [qnn.QuantConv2d(inputs, outputs, 3, padding=1, bias=False, **_weights(mix[index]))]


def train(kind: Kind, mix: Mix | None, images: Images, seed: int, epochs: int | None = None) -> nn.Sequential:
    """A trained network in evaluation mode: Adam, cosine decay, cross-entropy; the same recipe at every precision."""
    torch.manual_seed(seed)
    model = build(kind, mix)
    pictures, classes = _tensors(images.train)
    epochs = epochs or EPOCHS[kind]
    steps = epochs * math.ceil(len(pictures) / BATCH)
    optimiser = torch.optim.Adam(model.parameters(), lr=RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    model.train()
    for _ in range(epochs):
        order = torch.randperm(len(pictures))
        for start in range(0, len(order), BATCH):
            chosen = order[start : start + BATCH]
            optimiser.zero_grad()
            nn.functional.cross_entropy(model(pictures[chosen]), classes[chosen]).backward()
            optimiser.step()
            schedule.step()
    return model.eval()


def scores(model: nn.Module, part: Part) -> tuple[float, float]:
    """Accuracy and mean cross-entropy (nats) on a part of a data set."""
    pictures, classes = _tensors(part)
    with torch.no_grad():
        found = torch.cat([model(pictures[i : i + 500]) for i in range(0, len(pictures), 500)])
    right = (found.argmax(dim=1) == classes).double().mean()
    return float(right), float(nn.functional.cross_entropy(found, classes))


def outputs(model: nn.Module, part: Part) -> npt.NDArray[np.float64]:
    """What a model in double precision says, (n, 10)."""
    pictures, _ = _tensors(part)
    with torch.no_grad():
        return model(pictures.double()).numpy()


def _tensors(part: Part) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.from_numpy(part.pictures.transpose(0, 3, 1, 2).copy()), torch.from_numpy(part.classes)


def one_narrow(layers: int = 4, widths: Sequence[int] = (1, 2, 4)) -> list[str]:
    """Mixes with 8 bits everywhere but in one layer: what the sensitivity of each layer is measured on."""
    return ["8" * i + str(p) + "8" * (layers - 1 - i) for i in range(layers) for p in widths]
