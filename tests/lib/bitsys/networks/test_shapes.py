"""Shapes of known networks, against another library's models and published counts; pieces of them as networks."""

from __future__ import annotations

import collections

import numpy as np
import pytest

from triptych.bitsys.accelerator.machine import Machine
from triptych.bitsys.networks import precision, quantised, shapes
from triptych.errors import ParameterError


def layers_of(model, torch):
    """What convolves or multiplies in a torch model: inputs, outputs, kernel, stride, padding and groups."""
    found = collections.Counter()
    for module in model.modules():
        if isinstance(module, torch.nn.Conv2d):
            found[
                (module.in_channels, module.out_channels, module.kernel_size[0], module.stride[0], module.groups)
            ] += 1
        elif isinstance(module, torch.nn.Linear):
            found[(module.in_features, module.out_features, 1, 1, 1)] += 1
    return found


def test_they_are_the_layers_of_the_models_in_transformers():
    import torch
    import transformers

    resnet = transformers.ResNetConfig(
        depths=[2, 2, 2, 2], hidden_sizes=[64, 128, 256, 512], layer_type="basic", num_labels=1000
    )
    mobile = transformers.MobileNetV2Config(num_labels=1000)
    with torch.device("meta"):
        models = {
            "ResNet-18": transformers.ResNetForImageClassification(resnet),
            "MobileNetV2": transformers.MobileNetV2ForImageClassification(mobile),
        }
    for name, model in models.items():
        wanted = layers_of(model, torch)
        mine = collections.Counter((s.inputs, s.outputs, s.kernel, s.stride, s.groups) for s in shapes.LARGER[name])
        assert mine == wanted, name


def test_they_have_the_published_numbers_of_weights_and_products():
    resnet, mobile = shapes.resnet18(), shapes.mobilenet_v2()
    # torchvision gives 11,689,512 parameters, of which 9,600 are batch norm's and 1,000 biases; 3,504,872 with 34,112
    assert sum(s.weights for s in resnet) == 11_689_512 - 9_600 - 1_000
    assert sum(s.weights for s in mobile) == 3_504_872 - 34_112 - 1_000
    assert sum(s.products for s in resnet) / 1e9 == pytest.approx(1.8, abs=0.05)  # He et al., table 1
    assert sum(s.products for s in mobile) / 1e6 == pytest.approx(300, abs=5)  # Sandler et al., table 4


def test_layers_fit_each_other():
    for name, those in shapes.LARGER.items():
        before = those[0]
        for one in those[1:]:
            if "shortcut" not in one.name and "layer" not in one.name and one.name != "fc":
                assert (one.inputs, one.size) == (before.outputs, before.out_size), (name, one.name)
            before = one


@pytest.mark.parametrize("kind", ["tfc", "tcv"])
def test_small_networks_are_those_that_are_trained(kind):
    import torch

    network = {"tfc": shapes.tfc, "tcv": shapes.tcv}[kind]()
    model = quantised.build(kind, None)
    sizes = [p.numel() for p in model.parameters() if p.ndim > 1]
    assert [one.weights.size for one in network.layers] == sizes
    with torch.no_grad():
        assert model.eval()(torch.zeros(1, 1, 28, 28)).shape[1] == network.layers[-1].outputs
    assert [one.width for one in precision.blank(network, (8, 4, 2, 1))] == [8, 4, 2, 1]


def test_a_depthwise_layer_is_counted_by_words_of_channels():
    machine = Machine("systolic", "bitsys", 4, 4)
    shape = shapes.Shape("depthwise", 24, 24, 3, (9, 9), 1, 1, groups=24)
    one, runs = shapes.layer(shape, machine, 2)
    assert (one.weights.shape, runs) == ((4, 3, 3, 4), 6)
    off = one.weights[~np.eye(4, dtype=bool)[:, None, None, :].repeat(3, 1).repeat(3, 2)]
    assert not off.any()
    spent = shapes.spent(shape, machine, 2)
    assert spent.useful == 24 * 9 * 81
    assert 0 < spent.utilisation <= 1 / 4
    with pytest.raises(ParameterError, match="one bit does not have"):
        shapes.layer(shape, machine, 1)
    assert shapes.spent(shape, machine, 1) == spent, "one bit runs at two"


def test_groups_between_one_and_depthwise_are_refused():
    with pytest.raises(ParameterError, match="2 groups of 4 channels"):
        shapes.Shape("grouped", 4, 4, 3, (9, 9), groups=2)


@pytest.mark.parametrize("width", [1, 2, 4, 8])
def test_a_piece_of_a_layer_keeps_its_dot_products(width):
    machine = Machine("systolic", "bitsys", 4, 4)
    for shape in (shapes.resnet18()[7], shapes.mobilenet_v2()[3], shapes.resnet18()[-1]):
        network, values = shapes.sample(shape, machine, width, np.random.default_rng(0))
        (one,) = network.layers
        assert one.weights.shape[1:] == (shape.kernel, shape.kernel, shape.inputs)
        assert one.outputs == min(shape.outputs, 8)
        assert values.shape[1:] == network.input.shape
        assert np.prod(network.sizes[-1]) >= min(8, np.prod(shape.out_size))
