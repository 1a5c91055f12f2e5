"""Shared by all tests: the option --study, and miniature checkouts (miniature.py)."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from miniature import ROOT, Checkout, new_checkout


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--study", choices=("workbench", "legal_rag", "bitsys", "ft_dojo"), help="run one part's tests")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With --study: the tests in its folder of tests/lib, its notebooks, and tests/rtl for bitsys."""
    study = config.getoption("--study")
    if not study:
        return

    def belongs(item: pytest.Item) -> bool:
        folder = item.path.relative_to(ROOT / "tests").parts
        if folder[0] == "notebooks":
            return f"[{study}/" in item.name
        return folder[:2] == ("lib", study) or (folder[0] == "rtl" and study == "bitsys")

    chosen = [item for item in items if belongs(item)]
    config.hook.pytest_deselected(items=[item for item in items if item not in set(chosen)])
    items[:] = chosen


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """A fresh miniature checkout with nothing made in it."""
    return new_checkout(tmp_path / "checkout")


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A miniature checkout in which `make report` has run; not to be changed (see `made`)."""
    first = new_checkout(tmp_path_factory.mktemp("made") / "checkout")
    done = first.make("report")
    assert done.returncode == 0, done.stdout + done.stderr
    return first.root


@pytest.fixture
def made(made_once: Path, tmp_path: Path) -> Checkout:
    """A copy of a checkout in which everything was really made."""
    shutil.copytree(made_once, tmp_path / "checkout", symlinks=True)
    return Checkout(tmp_path / "checkout")
