"""The numbers behind the figures, against what they should be, and the sliders."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triptych.bitsys import dashboard, draw, explain, lesson, model, published, vectors, waveform
from triptych.bitsys.design import Design
from triptych.bitsys.synthesise import Resources
from triptych.errors import ParameterError, ToolMissing


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    plt.close("all")


def words(figure: plt.Figure) -> list[str]:
    """Every text of a figure that is drawn."""
    figure.canvas.draw()
    return [text.get_text() for axis in figure.axes for text in axis.texts if text.get_text()]


def recording(n: int = 4, widths: tuple[int, ...] = (1, 2, 4), spoil: int | None = None) -> waveform.Waveform:
    """What the hardware would show, computed from the steps on paper; one product spoilt on request."""
    design = Design(n, widths)
    stimulus = vectors.join(
        [vectors.scattered(n, widths, 12, np.random.default_rng(2), gaps=0.2), vectors.idle(design.latency + 1)]
    )
    cycles = len(stimulus)
    width, partial = np.zeros((cycles, 2 * n), np.int64), np.zeros((cycles, n, n), np.bool_)
    where = np.add.outer(np.arange(n), np.arange(n))
    for t in np.flatnonzero(stimulus.valid):
        p = widths[stimulus.mode[t]]
        asked = explain.asked(p, bool(stimulus.a_signed[t]), bool(stimulus.b_signed[t]))
        cell = explain.steps(n, asked, int(stimulus.a[t]), int(stimulus.b[t])).partial[0]
        for d in range(2 * n):
            width[t + d + 1, d] = p
            partial[t + d + 1][where == d] = cell[where == d]
    late = {
        name: np.roll(getattr(stimulus, name), design.latency) for name in ("valid", "mode", "a_signed", "b_signed")
    }
    product = np.roll(vectors.expected(n, widths, stimulus), design.latency)
    if spoil is not None:
        product[spoil] ^= 1
    return waveform.Waveform(design=design, stimulus=stimulus, product=product, width=width, partial=partial, **late)


@given(st.integers(0, 255), st.integers(0, 255))
@settings(max_examples=20, deadline=None)
def test_the_lines_on_paper_add_up_to_the_product(a: int, b: int) -> None:
    _, table = lesson.by_hand(8, a, b)
    plt.close("all")
    assert table["value"].iloc[0] == a
    assert table["value"].iloc[1] == b
    assert table["value"].iloc[2:-1].sum() == table["value"].iloc[-1] == a * b
    assert int(table["bits"].iloc[-1], 2) == a * b


def test_folding_keeps_every_partial_product_and_its_weight() -> None:
    figure, table = lesson.fold(4, 11, 13)
    assert (table["weight"] == 2 ** (table["i"] + table["j"])).all()
    assert (table["weight"] * table["value"]).sum() == 11 * 13
    digits = [[text.get_text() for text in axis.texts if text.get_text() in ("0", "1")] for axis in figure.axes]
    assert digits[0] == digits[1], "the same digits on paper and in the array"
    assert len(digits[0]) == 16


@pytest.mark.parametrize("combination", [explain.asked(4, s, t) for s in (False, True) for t in (False, True)])
def test_the_columns_of_the_worked_example_are_the_product(combination: model.Combination) -> None:
    for a, b in ((11, 13), (8, 8), (15, 7)):
        _, table = lesson.baugh_wooley(4, combination, a, b)
        product = int(model.products(np.array(a), np.array(b), 4, combination))
        assert (table["bit"].to_numpy() @ (1 << np.arange(8))) == product
        assert (table["sum"] % 2 == table["bit"]).all()


def test_fences_stand_between_channels_and_the_products_are_written_below() -> None:
    combinations = [explain.asked(p, True, True) for p in (1, 2, 4)]
    figure, table = lesson.fences(4, combinations, 11, 13)
    fenced = {width: rows.loc[rows["fence"] == 1, "column"].tolist() for width, rows in table.groupby("width")}
    assert fenced == {1: [1, 3, 5, 7], 2: [3, 7], 4: [7]}
    assert {"−1", "2", "15"} <= set(words(figure))  # -1 × 1 and 2-bit -2 × -1; -5 × -3


def test_the_film_shows_a_cell_for_each_partial_product() -> None:
    wave = recording()
    figure, table = lesson.wavefront(wave, range(8))
    occupied = (wave.width[:8, :7] > 0).sum()
    assert len(table) == occupied
    shown = [text for text in words(figure) if text in ("0", "1", "·")]
    cells = sum(min(d, 6 - d) + 1 for t, d in np.argwhere(wave.width[:8, :7] > 0))
    assert len(shown) == cells
    film = lesson.animation(wave, range(5))
    assert film.startswith(b"GIF89a")
    assert film.count(b"\x21\xf9\x04") == 5, "a graphic control extension begins each frame"


def test_the_waveform_shows_what_came_out_beside_what_should() -> None:
    right = recording()
    expected = vectors.expected(4, (1, 2, 4), right.stimulus)
    _, table = lesson.mode_switch(right, expected)
    assert (table["products"] == table["model"]).all()
    assert (table["products"] != "").sum() == right.stimulus.valid.sum()
    at = int(np.flatnonzero(right.valid)[1])
    _, table = lesson.mode_switch(recording(spoil=at), expected)
    assert table.index[table["products"] != table["model"]].tolist() == [at]


def test_tags_make_a_switch_harmless_and_a_global_wire_does_not() -> None:
    switch = (explain.asked(4, True, True), explain.asked(1, True, True))
    _, table = lesson.global_wire(4, [switch], trials=20, seed=0)
    wire, tags = (table.loc[table["switch"] == name, "wrong"] for name in ("4 → 1 bit", "any, with tags"))
    assert wire.iloc[0] > 1
    assert wire.iloc[-1] == 0
    assert (tags == 0).all()


def test_pairs_of_requests_are_counted_and_failures_are_crossed() -> None:
    stimulus = vectors.scattered(8, (1, 2, 4, 8), 3000, np.random.default_rng(0), gaps=0.1)
    wrong = np.zeros(3000, np.bool_)
    figure, table = draw.transitions(Design(), stimulus, wrong)
    assert table["count"].sum() == (stimulus.valid[:-1] & stimulus.valid[1:]).sum()
    assert table["failed"].sum() == 0
    assert not figure.axes[0].lines[6:], "no cross"
    row = next(t for t in range(1, 2999) if stimulus.valid[t - 1 : t + 2].all())
    wrong[row] = True
    figure, table = draw.transitions(Design(), stimulus, wrong)
    assert table["failed"].sum() == 2, "the pair that it ends and the pair that it begins"
    names = [
        f"{(1, 2, 4, 8)[stimulus.mode[t]]} {'us'[int(stimulus.a_signed[t])]}{'us'[int(stimulus.b_signed[t])]}"
        for t in (row - 1, row, row + 1)
    ]
    failed = table[table["failed"] > 0]
    assert set(zip(failed["before"], failed["after"], strict=True)) == {(names[0], names[1]), (names[1], names[2])}


OURS = Resources(lut=149, srl=0, ff=261, carry=7, mux=0, other={}, flow="flow", yosys="0")


def test_unknown_numbers_are_named_and_not_drawn() -> None:
    figure, table = draw.resources([("ours", OURS)], [published.RELEASED, published.PAPER])
    paper = table[table["design"] == published.PAPER.name]
    assert paper[["lut", "srl", "luts_and_srls", "ff", "carry"]].isna().all(axis=None)
    legend = figure.axes[0].get_legend()
    assert legend is not None
    assert f"{published.PAPER.name}: no public numbers" in [text.get_text() for text in legend.get_texts()]
    assert len(figure.axes[0].patches) == 2 * 5, "two designs of five kinds of cell"
    assert {"149\n50%", "261\n50%", "7\n20%", "298", "0"} <= set(words(figure))


def test_alone_our_numbers_carry_no_percentages() -> None:
    figure, _ = draw.resources([("ours", OURS)], [])
    assert not any("%" in text for text in words(figure))


# --- the dashboard ----------------------------------------------------------------------------------------------------


@st.composite
def views(given_data: st.DrawFn) -> dashboard.View:
    n = given_data(st.sampled_from(model.CONTAINERS))
    legal = [w for w in (1, 2, 4, 8, 16) if w <= n]
    widths = tuple(sorted(given_data(st.sets(st.sampled_from(legal), min_size=1))))
    a, b = (given_data(st.integers(0, (1 << n) - 1)) for _ in "ab")
    signs = given_data(st.booleans()), given_data(st.booleans())
    return dashboard.View(n, widths, given_data(st.sampled_from(widths)), *signs, a, b, 0)


@given(views())
def test_the_array_and_the_model_agree_in_every_view(view: dashboard.View) -> None:
    channels = dashboard.channels(view)
    assert (channels["array"] == channels["model"]).all()
    assert (channels["a"] * channels["b"] == channels["model"]).all()


@pytest.mark.parametrize("cycle", [0, 1, 5, 9])
def test_a_column_is_shown_once_it_has_been_added(cycle: int) -> None:
    view = dashboard.View(4, (1, 2, 4), 4, True, False, 11, 13, cycle)
    figure, frame = dashboard.picture(view)
    figure.canvas.draw()
    shown = [text for text in figure.axes[1].texts if text.get_text().isdigit()]
    assert len(shown) == 4 * (frame["cycle_added"] <= cycle).sum()
    assert frame["cycle_added"].max() == view.design.latency - 1


@pytest.mark.parametrize(
    ("change", "told"),
    [({"width": 16}, "width 16"), ({"a": 256}, "a = 256"), ({"cycle": 18}, "no cycle 18"), ({"n": 5}, "N = 5")],
)
def test_a_view_that_does_not_exist_is_refused(change: dict[str, int], told: str) -> None:
    with pytest.raises(ParameterError, match=told):
        dashboard.View(**change)


def test_sliders_follow_one_another() -> None:
    panel = dashboard.Dashboard(dashboard.View(), lambda design: OURS)
    before = panel.picture.value
    panel.move("n", 4)
    assert panel.view == dashboard.View(4, (1, 2, 4), 4, a=183 & 15, b=109 & 15, cycle=9)
    assert panel.picture.value != before
    panel.move("widths", (1, 2))
    assert panel.view.width == 2
    panel.move("widths", ())
    assert panel.view.widths == (1, 2, 4)
    panel.move("a", 5)
    assert panel.view.a == 5
    assert "0x" in panel.tables.value


def test_resources_are_counted_on_request_or_the_reason_is_shown() -> None:
    asked: list[Design] = []

    def count(design: Design) -> Resources:
        asked.append(design)
        return OURS

    panel = dashboard.Dashboard(dashboard.View(), count)
    assert not asked
    panel.button.click()
    assert asked == [Design()]
    assert "149" in panel.resources.value

    def missing(design: Design) -> Resources:
        raise ToolMissing("synthesis needs pyosys", "make setup")

    panel = dashboard.Dashboard(dashboard.View(), missing)
    panel.button.click()
    assert "make setup" in panel.resources.value
