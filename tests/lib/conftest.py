"""Every test of the library draws in the house style, as a notebook does, whatever an earlier test has set."""

from __future__ import annotations

import pytest

from triptych import figures


@pytest.fixture(autouse=True)
def house_style() -> None:
    figures.use_style()
