"""Pictures of 28 × 28 with ten classes, from three sources that need no download in the default profile.

Values are from 0 to 1. Every set is split once, by a fixed seed and with equal shares of the classes: networks are
trained on `train`, choices between networks are made on `validation`, and `test` is only for what is reported.
"""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from triptych.errors import DataError, ParameterError

Floats32 = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

Source = Literal["digits", "fashion-mnist", "mnist"]
SOURCES: tuple[Source, ...] = get_args(Source)

FASHION = Path("/usr/share/datasets/fashion-mnist")
"""Where Debian's package dataset-fashion-mnist puts its four files."""


@dataclass(frozen=True)
class Part:
    """Pictures (n, 28, 28, 1) and their classes (n,)."""

    pictures: Floats32
    classes: Ints


@dataclass(frozen=True)
class Images:
    """A data set in its three parts."""

    source: Source
    train: Part
    validation: Part
    test: Part


def load(source: Source) -> Images:
    """The data set.

    `digits`: the 1,797 handwritten digits of 8 × 8 that come with scikit-learn, brought to 28 × 28 by bilinear
    interpolation; 900, 300 and 597 of them. `fashion-mnist`: Debian's package; `mnist`: through `datasets`, which needs
    the network once. Both keep their own 10,000 test pictures and give 10,000 of the others to validation.

    Raises DataError, with the way out, when the set is not on this machine.
    """
    if source == "digits":
        return _digits()
    if source == "fashion-mnist":
        return _from_mnist(source, *_fashion())
    if source == "mnist":
        return _from_mnist(source, *_mnist())
    raise ParameterError(f"{source!r} is no data set", f"choose one of {', '.join(SOURCES)}")


def _digits() -> Images:
    import torch
    from sklearn.datasets import load_digits

    small, classes = load_digits(return_X_y=True)
    small = torch.tensor(small.reshape(-1, 1, 8, 8) / 16, dtype=torch.float32)
    large = torch.nn.functional.interpolate(small, size=(28, 28), mode="bilinear", align_corners=False)
    pictures = large.numpy().transpose(0, 2, 3, 1)
    rest, test = _split(Part(pictures, np.asarray(classes, np.int64)), 597)
    train, validation = _split(rest, 300)
    return Images("digits", train, validation, test)


def _from_mnist(source: Source, rest: Part, test: Part) -> Images:
    train, validation = _split(rest, 10000)
    return Images(source, train, validation, test)


def _split(part: Part, second: int) -> tuple[Part, Part]:
    """Two parts, the second of this size, with equal shares of the classes."""
    from sklearn.model_selection import train_test_split

    first, other = train_test_split(
        np.arange(len(part.classes)), test_size=second, random_state=0, stratify=part.classes
    )
    return Part(part.pictures[first], part.classes[first]), Part(part.pictures[other], part.classes[other])


def _fashion() -> tuple[Part, Part]:
    parts: list[Part] = []
    for name in ("train", "t10k"):
        pictures = _idx(f"{name}-images-idx3-ubyte.gz").reshape(-1, 28, 28, 1) / np.float32(255)
        classes = _idx(f"{name}-labels-idx1-ubyte.gz").astype(np.int64)
        parts.append(Part(pictures.astype(np.float32), classes))
    return parts[0], parts[1]


def _idx(name: str) -> npt.NDArray[np.uint8]:
    """A file in the IDX format of the MNIST family: four bytes of type and rank, the sizes, then bytes."""
    path = FASHION / name
    if not path.exists():
        raise DataError("Fashion-MNIST is not on this machine", "apt-get install dataset-fashion-mnist")
    data = gzip.decompress(path.read_bytes())
    if data[:3] != b"\0\0\x08" or len(data) < 4 + 4 * data[3]:
        raise DataError(f"{path} is not in the IDX format", "apt-get install --reinstall dataset-fashion-mnist")
    sizes = np.frombuffer(data, ">u4", count=data[3], offset=4)
    values = np.frombuffer(data, np.uint8, offset=4 + 4 * data[3])
    if len(values) != np.prod(sizes):
        raise DataError(f"{path} is cut short", "apt-get install --reinstall dataset-fashion-mnist")
    return values.reshape(sizes.astype(int))


def _mnist() -> tuple[Part, Part]:
    import datasets

    try:
        found = datasets.load_dataset("ylecun/mnist")
    except Exception as error:  # the library raises a dozen kinds when there is no network or no such set
        raise DataError(f"MNIST could not be fetched: {error}", "it needs the network once; or choose digits") from None
    parts: list[Part] = []
    for name in ("train", "test"):
        rows = found[name].with_format("numpy")
        pictures = np.asarray(rows["image"][:], np.float32).reshape(-1, 28, 28, 1) / np.float32(255)
        parts.append(Part(pictures, np.asarray(rows["label"][:], np.int64)))
    return parts[0], parts[1]
