"""Networks of integers say what brevitas says, and what cannot be run is refused by name."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from torch import nn

warnings.filterwarnings("ignore")

import brevitas.nn as qnn  # noqa: E402
from brevitas.quant import Int8ActPerTensorFloat, Int8WeightPerChannelFloat, Uint8ActPerTensorFloat  # noqa: E402

from triptych.bitsys.accelerator.cycles import Supply  # noqa: E402
from triptych.bitsys.accelerator.machine import Machine  # noqa: E402
from triptych.bitsys.networks import check, from_qonnx, integer, quantised  # noqa: E402
from triptych.errors import DataError, ParameterError  # noqa: E402


def settled(model, shape, seed=0):
    """A model whose scales and statistics have seen data: brevitas learns them on the first batches."""
    torch.manual_seed(seed)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            nn.init.normal_(module.weight)  # negative gains too
            nn.init.normal_(module.bias)
    model.train()
    with torch.no_grad():
        for _ in range(20):
            model(torch.rand(16, *shape[1:]))
    return model.eval()


def both(model, shape, images=20):
    """Outputs of a model in double precision and of its integers."""
    network = from_qonnx.from_brevitas(model, shape, "model")
    x = torch.rand(images, *shape[1:], generator=torch.Generator().manual_seed(1)).double()
    with torch.no_grad():
        said = model.double()(x).numpy()
    pictures = x.numpy().transpose(0, 2, 3, 1) if len(shape) == 4 else x.numpy()
    sums = integer.run(network, network.quantise(pictures))[-1].wrote
    return said, network.outputs(sums).reshape(said.shape), network


@pytest.mark.parametrize("kind, mix", [("tfc", "4211"), ("tfc", "8442"), ("tcv", "1214")])
def test_integers_say_what_brevitas_says(kind, mix):
    said, got, network = both(settled(quantised.build(kind, quantised.parse(mix)), (1, 1, 28, 28)), (1, 1, 28, 28))
    assert network.widths == quantised.parse(mix)
    np.testing.assert_allclose(got, said, rtol=0, atol=1e-9)


def test_eight_bit_results_are_within_a_code():
    model = settled(quantised.build("tfc", (8, 8, 8, 8)), (1, 1, 28, 28))
    said, got, network = both(model, (1, 1, 28, 28), images=50)
    first = network.layers[0]
    with torch.no_grad():
        x = torch.rand(50, 1, 28, 28, generator=torch.Generator().manual_seed(1)).double()
        after = model[:5](x)  # pixels, flatten, dense, batch norm, activation
        codes = np.rint((after / model[4].act_quant.scale()).numpy())
    pictures = x.numpy().transpose(0, 2, 3, 1)
    values = integer.run(network, network.quantise(pictures))[0].wrote.reshape(codes.shape)
    assert np.abs(values - codes).max() <= 1
    assert (values != codes).mean() < 0.01
    assert first.width == 8
    assert np.abs(got - said).max() < 0.05 * np.abs(said).max()


class Theirs(nn.Module):
    """Signed activations, a scale an output, biases, strides, three bits, no batch norm."""

    def __init__(self):
        super().__init__()
        signed = {"act_quant": Int8ActPerTensorFloat, "bit_width": 4}
        per_channel = {"weight_quant": Int8WeightPerChannelFloat, "weight_bit_width": 4}
        self.entry = qnn.QuantIdentity(**signed)
        self.first = qnn.QuantConv2d(3, 5, 3, stride=2, padding=1, bias=True, **per_channel)
        self.act = qnn.QuantIdentity(**signed)
        self.second = qnn.QuantConv2d(5, 6, (2, 3), bias=False, weight_bit_width=3)
        self.relu = qnn.QuantReLU(act_quant=Uint8ActPerTensorFloat, bit_width=3)
        self.last = qnn.QuantLinear(6 * 3 * 2, 7, bias=True, weight_bit_width=4)

    def forward(self, x):
        x = self.relu(self.second(self.act(self.first(self.entry(x)))))
        return self.last(torch.flatten(x, 1))


def test_a_network_of_somebody_else():
    said, got, network = both(settled(Theirs(), (1, 3, 8, 8)), (1, 3, 8, 8))
    assert network.widths == (4, 4, 4)
    assert [layer.activation for layer in network.layers] == ["signed", "signed", "unsigned"]
    np.testing.assert_allclose(got, said, rtol=0, atol=1e-9)


@pytest.mark.slow
def test_a_network_of_somebody_else_runs_on_the_machine():
    network = from_qonnx.from_brevitas(settled(Theirs(), (1, 3, 8, 8)), (1, 3, 8, 8), "theirs")
    pictures = np.random.default_rng(0).random((5, 8, 8, 3))
    machine = Machine("systolic", "bitsys", rows=2, columns=2, port_bits=8)  # that of tests/rtl
    found = check.check(check.Case(machine, network, 2, Supply(2)), network.quantise(pictures))
    assert (found.images, found.sums, found.layers) == (5, 5 * 7, 3 * 3)
    assert (found.wrong_sums, found.wrong_counters) == (0, 0)


def pixels(bits=4):
    return qnn.QuantIdentity(act_quant=Uint8ActPerTensorFloat, bit_width=bits)


def dense(**words):
    return qnn.QuantLinear(6, 6, bias=False, **{"weight_bit_width": 4, **words})


@pytest.mark.parametrize(
    "layers, words",
    [
        (lambda: [pixels(), dense(), nn.Sigmoid()], "operator Sigmoid is not supported"),
        (lambda: [pixels(), nn.Linear(6, 6)], "weights are not quantised"),
        (lambda: [nn.Identity(), dense()], "activations are not quantised"),
        (lambda: [pixels(9), dense()], "9 bits are not supported"),
        (lambda: [pixels(), dense(), pixels(6), dense(weight_bit_width=8)], "results are clipped"),
        (lambda: [pixels(), dense(), pixels()], "nothing but scale and bias"),
    ],
)
def test_what_cannot_be_run_is_refused_by_name(layers, words):
    with pytest.raises(ParameterError, match=words):
        from_qonnx.from_brevitas(settled(nn.Sequential(*layers()), (1, 6)), (1, 6), "theirs")


def test_grouped_convolution_is_refused():
    model = nn.Sequential(pixels(), qnn.QuantConv2d(4, 4, 3, groups=4, bias=False, weight_bit_width=4))
    with pytest.raises(ParameterError, match="grouped convolution"):
        from_qonnx.from_brevitas(settled(model, (1, 4, 6, 6)), (1, 4, 6, 6), "theirs")


def test_a_file_cut_short(tmp_path):
    path = tmp_path / "theirs.onnx"
    from_qonnx.export(settled(nn.Sequential(pixels(), dense()), (1, 6)), (1, 6), path)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(DataError, match=r"theirs\.onnx"):
        from_qonnx.read(path)
