"""Figures and tables: the same inputs give the same bytes, marks are visible, types are kept."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from triptych import figures, tables


def draw(seed: int = 1):
    figures.use_style()
    figure, axes = plt.subplots()
    axes.plot(np.random.default_rng(seed).normal(size=20).cumsum(), label="a walk")
    axes.legend()
    return figure


def saved(folder, seed: int = 1, marks=()) -> dict[str, bytes]:
    figure = draw(seed)
    written = figures.save(figure, folder / "fig", marks)
    plt.close(figure)
    return {path.name: path.read_bytes() for path in written}


def test_same_drawing_same_bytes_in_every_format(tmp_path):
    first, second = saved(tmp_path / "a"), saved(tmp_path / "b")
    assert set(first) == {"fig.svg", "fig.pdf", "fig.png"}
    assert first == second
    other = saved(tmp_path / "c", seed=2)
    assert all(first[name] != other[name] for name in first)


def test_marks_are_drawn_and_leave_the_figure_as_it_was(tmp_path):
    figure = draw()
    before = len(figure.texts)
    plain = figures.save(figure, tmp_path / "plain")
    marked = figures.save(figure, tmp_path / "marked", ["recorded: replayed from a full run"])
    again = figures.save(figure, tmp_path / "again")
    assert len(figure.texts) == before
    assert plain[2].read_bytes() != marked[2].read_bytes()
    assert plain[2].read_bytes() == again[2].read_bytes()
    plt.close(figure)


def test_the_first_four_colours_differ_in_lightness_for_print():
    rgb = np.array([[int(c[i : i + 2], 16) / 255 for i in (1, 3, 5)] for c in figures.COLOURS[:4]])
    lightness = rgb @ [0.2126, 0.7152, 0.0722]
    gaps = np.diff(np.sort(lightness))
    assert gaps.min() > 0.05


@given(
    st.dictionaries(
        st.text(min_size=1),
        st.recursive(st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(), st.lists),
    )
)
def test_json_results_read_back(tmp_path_factory, value):
    path = tmp_path_factory.mktemp("json") / "value.json"
    assert tables.read(tables.write(value, path)) == value


def test_numpy_values_become_plain(tmp_path):
    value = {"a": np.int64(3), "b": np.float32(0.5), "c": np.array([1, 2]), "d": np.bool_(True)}
    assert tables.read(tables.write(value, tmp_path / "v.json")) == {"a": 3, "b": 0.5, "c": [1, 2], "d": True}


def test_frames_read_back_and_wrong_pairs_are_refused(tmp_path):
    frame = pd.DataFrame({"k": [1, 5], "recall": [0.25, 0.75], "arm": ["bm25", "minilm"]})
    pd.testing.assert_frame_equal(tables.read(tables.write(frame, tmp_path / "f.parquet")), frame)
    with pytest.raises(TypeError, match="declared as parquet"):
        tables.write({"a": 1}, tmp_path / "f.parquet")
    with pytest.raises(TypeError, match="declared as JSON"):
        tables.write(frame, tmp_path / "f.json")
    with pytest.raises(ValueError, match="JSON"):
        tables.write({"a": float("inf")}, tmp_path / "f.json")


def test_an_index_is_never_lost_in_silence(tmp_path):
    means = pd.DataFrame({"arm": ["a", "a", "b"], "hit": [1, 0, 1]}).groupby("arm").mean()
    for save in (
        lambda: tables.write(means, tmp_path / "f.parquet"),
        lambda: tables.write_numbers(means, tmp_path / "f"),
    ):
        with pytest.raises(ValueError, match="reset_index"):
            save()
    tables.write(means.reset_index(), tmp_path / "f.parquet")


def test_not_a_number_is_refused_in_json_whatever_its_type(tmp_path):
    for value in (float("nan"), np.float32("nan"), np.array([np.nan])):
        with pytest.raises(ValueError, match="JSON"):
            tables.write({"a": value}, tmp_path / "f.json")


def test_the_users_own_matplotlib_settings_change_nothing(tmp_path):
    before = saved(tmp_path / "a")
    plt.rcParams.update({"lines.linewidth": 9, "axes.facecolor": "red", "font.family": "serif"})
    assert saved(tmp_path / "b") == before


def test_numbers_behind_a_figure_are_readable(tmp_path):
    path = tables.write_numbers(pd.DataFrame({"k": [1], "recall": [1 / 3]}), tmp_path / "n.csv")
    assert path.read_text() == "k,recall\n1,0.333333\n"
