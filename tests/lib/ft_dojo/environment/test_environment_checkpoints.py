"""Only what the trainer could have written is loaded."""

from __future__ import annotations

import pickle
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from triptych.ft_dojo import tiny
from triptych.ft_dojo.environment import checkpoints
from triptych.ft_dojo.environment.observations import Refusal


@pytest.fixture
def model(tmp_path: Path, base: tiny.Base) -> Path:
    return Path(shutil.copytree(base.folder, tmp_path / "model"))


def test_the_base_itself_passes(model: Path, base: tiny.Base) -> None:
    wanted = checkpoints.tensors(base.folder / checkpoints.WEIGHTS)
    assert checkpoints.verify(model, wanted) == base.sha256


def _extra(path: Path) -> None:
    save_file({**load_file(path), "head.weight": np.zeros(3, np.float32)}, path)


def _missing(path: Path) -> None:
    tensors = load_file(path)
    tensors.pop(sorted(tensors)[0])
    save_file(tensors, path)


def _shape(path: Path) -> None:
    tensors = load_file(path)
    name = sorted(tensors)[0]
    save_file({**tensors, name: np.concatenate([tensors[name]] * 2)}, path)


def _type(path: Path) -> None:
    save_file({name: tensor.astype(np.float16) for name, tensor in load_file(path).items()}, path)


def _nan(path: Path) -> None:
    tensors = load_file(path)
    tensors[sorted(tensors)[-1]].flat[0] = np.nan
    save_file(tensors, path)


def _infinite(path: Path) -> None:
    tensors = load_file(path)
    tensors[sorted(tensors)[0]].flat[-1] = -np.inf
    save_file(tensors, path)


def _other(path: Path) -> None:
    tensors = load_file(path)
    tensors[sorted(tensors)[0]].flat[0] += 1
    save_file(tensors, path)


def _pickled(path: Path) -> None:
    path.write_bytes(pickle.dumps({"weights": [1, 2]}))


def _zipped(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model.safetensors", b"\0" * 10_000_000)


def _huge_header(path: Path) -> None:
    path.write_bytes((1 << 62).to_bytes(8, "little") + b"{}")


def _deep_header(path: Path) -> None:
    path.write_bytes((400_000).to_bytes(8, "little") + b"[" * 400_000)


def _overlapping(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    place = raw.find(b'"data_offsets":[') + len(b'"data_offsets":[')
    raw[place] = ord("9") if raw[place] != ord("9") else ord("8")
    path.write_bytes(raw)


def _trailing(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"\0" * 5_000_000)


def _gone(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize(
    ("damage", "code"),
    [
        (_extra, "schema"), (_missing, "schema"), (_shape, "schema"), (_type, "schema"), (_nan, "nan"),
        (_infinite, "nan"), (_other, "state"), (_pickled, "schema"), (_zipped, "schema"), (_huge_header, "schema"),
        (_deep_header, "schema"), (_overlapping, "schema"), (_trailing, "schema"), (_gone, "schema"),
    ],
)  # fmt: skip
def test_anything_else_is_refused(damage: object, code: str, model: Path, base: tiny.Base) -> None:
    wanted = checkpoints.tensors(base.folder / checkpoints.WEIGHTS)
    assert callable(damage)
    damage(model / checkpoints.WEIGHTS)
    with pytest.raises(Refusal) as refusal:
        checkpoints.verify(model, wanted, base.sha256 if code == "state" else None)
    assert refusal.value.code == code
