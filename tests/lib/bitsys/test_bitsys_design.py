"""A design knows its files, its parameters and what it does in how many cycles."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from triptych import paths
from triptych.bitsys.design import KINDS, Design, Kind, needed
from triptych.errors import DataError, ParameterError

WIDTHS = {4: (1, 2, 4), 8: (1, 2, 4, 8), 16: (1, 2, 4, 8, 16)}


@pytest.mark.parametrize("kind", KINDS)
def test_the_file_of_the_top_module_is_among_the_sources_and_packages_come_first(kind: Kind) -> None:
    for unit in ("mul", "mac"):
        names = [path.stem for path in Design(kind=kind, unit=unit).sources]
        assert f"{kind}_{unit}" in names
        packages = [name.endswith("_pkg") for name in names]
        assert packages == sorted(packages, reverse=True)
        assert len(set(names)) == len(names)


def test_a_multiplier_needs_no_file_of_another_kind() -> None:
    for kind in KINDS:
        names = {path.stem for path in Design(kind=kind).sources}
        others = {f"{other}_mul" for other in KINDS if other != kind}
        assert not names & others


def test_a_changed_copy_of_the_rtl_is_taken_instead(tmp_path: Path) -> None:
    for path in (paths.rtl() / "bitsys").glob("*.sv"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    sources = Design(rtl=tmp_path).sources
    assert sources
    assert all(path.parent == tmp_path for path in sources)


def test_what_only_a_comment_names_is_not_needed(tmp_path: Path) -> None:
    (tmp_path / "top.sv").write_text("// like other\nmodule top; part u (); endmodule\n", "utf-8")
    (tmp_path / "part.sv").write_text("module part; endmodule\n", "utf-8")
    (tmp_path / "other.sv").write_text("module other; endmodule\n", "utf-8")
    assert [path.stem for path in needed("top", [tmp_path])] == ["part", "top"]


# From the tables of rtl/README.md: cycles of the multiplier, and of the unit around it with width 1 listed.
LATENCIES = {
    "bitsys": {4: (9, 13), 8: (17, 22), 16: (33, 39)},
    "mtree": {4: (4, 8), 8: (6, 11), 16: (8, 14)},
    "bitshift": {4: (6, 10), 8: (10, 15), 16: (18, 24)},
    "bitserial": {4: (6, 10), 8: (10, 15), 16: (18, 24)},
    "fixed": {4: (4, 6), 8: (5, 7), 16: (6, 8)},
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", WIDTHS)
def test_latencies(kind: Kind, n: int) -> None:
    designs = Design(n, WIDTHS[n], kind=kind), Design(n, WIDTHS[n], kind=kind, unit="mac")
    assert tuple(design.latency for design in designs) == LATENCIES[kind][n]


def test_useful_work_per_cycle_of_each_kind() -> None:
    """Multiplications a cycle at widths 1, 2, 4, 8 of a container of 8 bits."""
    rates = {
        kind: [Design(kind=kind).channels(width) / Design(kind=kind).interval(width) for width in WIDTHS[8]]
        for kind in KINDS
    }
    parallel = [8, 4, 2, 1]
    serial = [8, 2, 1 / 2, 1 / 8]
    assert rates == {
        "bitsys": parallel,
        "mtree": parallel,
        "bitshift": parallel,
        "bitserial": serial,
        "fixed": [1] * 4,
    }


def test_the_serial_latency_follows_the_width() -> None:
    assert [Design(kind="bitserial").latency_at(width) for width in WIDTHS[8]] == [3, 4, 6, 10]


def test_an_unknown_kind_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ParameterError, match="'booth' is no kind of multiplier") as failure:
        Design(kind="booth")  # type: ignore[arg-type]  # what a parameter of a notebook may hold
    assert failure.value.hint and "bitserial" in failure.value.hint


@pytest.mark.parametrize(
    "wrong",
    [{"unit": "xyz"}, {"kind": "booth"}, {"widths": "12"}, {"widths": (1, 3)}, {"widths": ()}, {"n": 5}],
    ids=str,
)
def test_what_no_design_has_is_refused_with_its_name(wrong: dict[str, Any]) -> None:
    with pytest.raises(ParameterError, match=r"is no|is not a"):
        Design(**wrong)


def test_a_folder_without_the_rtl_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no bitsys_mul\.sv"):
        _ = Design(rtl=tmp_path).sources
