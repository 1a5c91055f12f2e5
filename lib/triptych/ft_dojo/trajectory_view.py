"""A run as pictures, as one HTML fragment that needs no server, and as a widget to step through."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from triptych.figures import COLOURS
from triptych.ft_dojo.agents import hypotheses
from triptych.ft_dojo.trajectory import DataDiff, Step, Trajectory

if TYPE_CHECKING:
    import ipywidgets

DONE, FAILED, FLAGGED = COLOURS[0], COLOURS[5], COLOURS[3]
SHOWN_ROWS, SHOWN_TEXT = 5, 1500  # rows of a difference, characters of a result
LANES = (
    "language_model", "ask_human", "inspect", "run_data_script", "train", "evaluate", "ab_test", "submit", "stop",
    "malformed",
)  # fmt: skip
BUDGETS = {
    "nominal_cpu": "nominal CPU-seconds", "training_tokens": "training tokens", "evaluations": "evaluations",
    "llm_tokens": "language-model tokens",
}  # fmt: skip


def timeline(trajectory: Trajectory) -> Figure:
    """What was done step by step, val scores with their intervals, and what was left of each budget."""
    frame, scores = trajectory.timeline, trajectory.evaluations
    lanes = [lane for lane in LANES if lane in set(frame["action"])]
    figure = Figure(figsize=(7.2, 2.9 + 0.26 * len(lanes)), layout="constrained")
    axes = figure.subplots(3, 1, sharex=True, height_ratios=[0.4 + 0.26 * len(lanes), 1.1, 1.1])
    for row in frame.to_dict("records"):
        colour = FAILED if row["error"] else FLAGGED if _raised(row["flags"], trajectory) else DONE
        lane = lanes.index(row["action"])
        axes[0].barh(lane, 0.8, left=row["step"] - 0.4, color=colour, height=0.55)
        if row["error"]:
            place = (row["step"], lane - 0.3)
            axes[0].annotate(row["error"], place, ha="center", va="bottom", fontsize=6.5, color=FAILED)
    axes[0].set_yticks(range(len(lanes)), [lane.replace("_", " ") for lane in lanes])
    axes[0].set_ylim(len(lanes) - 0.4, -0.9)
    axes[0].set_title(f"{trajectory.card.id}: what was done")
    axes[0].legend(
        handles=[
            Patch(color=colour, label=label)
            for colour, label in ((DONE, "done"), (FAILED, "error"), (FLAGGED, "flagged"))
        ],
        loc="upper left", bbox_to_anchor=(1, 1), fontsize=8,
    )  # fmt: skip
    if len(scores):
        reach = [scores["score"] - scores["low"], scores["high"] - scores["score"]]
        axes[1].errorbar(scores["step"], scores["score"], yerr=reach, fmt="o", color=COLOURS[0], capsize=3)
    axes[1].axhline(trajectory.card.chance["val"], color=COLOURS[7], linestyle="--", linewidth=1)
    axes[1].set(ylim=(-0.02, 1.02), ylabel="score on val")
    axes[1].legend(
        handles=[
            Line2D([], [], marker="o", linestyle="", color=COLOURS[0], label="with 95 % interval"),
            Line2D([], [], linestyle="--", linewidth=1, color=COLOURS[7], label="chance"),
        ],
        loc="upper left", bbox_to_anchor=(1, 1), fontsize=8,
    )  # fmt: skip
    left = trajectory.budgets.to_dict("records")
    for name, colour in zip(BUDGETS, (COLOURS[0], COLOURS[1], COLOURS[2], COLOURS[3]), strict=True):
        rows = [row for row in left if row["budget"] == name and row["share"] is not None]
        if rows:
            shares = [1.0, *(row["share"] for row in rows)]
            axes[2].step([0, *(row["step"] for row in rows)], shares, where="post", color=colour, label=BUDGETS[name])
    axes[2].set(ylim=(-0.02, 1.05), ylabel="share left", xlabel="step", xlim=(0.3, max(len(frame), 1) + 0.7))
    axes[2].xaxis.get_major_locator().set_params(integer=True)
    if axes[2].lines:
        axes[2].legend(loc="upper left", bbox_to_anchor=(1, 1), fontsize=8)
    return figure


def curves(trajectory: Trajectory) -> Figure:
    """The loss of every training that ended, rehearsals left out."""
    frame = trajectory.curves[~trajectory.curves["micro"].astype(bool)]
    figure = Figure(figsize=(6.4, 3.0), layout="constrained")
    axis = figure.subplots()
    abouts = {step.outcome.step: step.about for step in trajectory.steps}
    for place, (number, rows) in enumerate(frame.groupby("step", sort=False)):
        label = f"step {number}: {abouts[int(str(number))]}"
        axis.plot(rows["at"], rows["loss"], color=COLOURS[place % len(COLOURS)], label=label)
    axis.set(xlabel="training step", ylabel="loss (nats per predicted token)", title="Loss of each training")
    axis.set_ylim(bottom=0)
    if len(frame):
        axis.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), fontsize=7.5)
    return figure


def html(trajectory: Trajectory) -> str:
    """The whole run as one HTML fragment; every text of an agent or of data is escaped."""
    sections = [("timeline", timeline(trajectory))]
    if not all(trajectory.curves["micro"]):
        sections.append(("curves", curves(trajectory)))
    return _TEMPLATE.render(
        trajectory=trajectory,
        pictures=[(name, _embedded(figure)) for name, figure in sections],
        left=_left(trajectory),
        steps=[_detail(step) for step in hypotheses.told(trajectory.steps)],
        diffs=[(before, after, diff.summary, _rows(diff)) for before, after, diff in trajectory.diffs()],
        wrong=trajectory.wrong()[-10:],
    )


def step_html(step: Step) -> str:
    """One step as an HTML fragment."""
    return _TEMPLATE.render(step=_detail(step))


def show(trajectory: Trajectory, live: bool) -> None:
    """Display a widget to step through in a live notebook, the static fragment where nobody can move a slider."""
    from IPython.display import HTML, display

    display(widget(trajectory) if live else HTML(html(trajectory)))


def widget(trajectory: Trajectory) -> ipywidgets.Widget:
    """A slider over the steps with what each did, beside the pictures, the data differences and the wrong items."""
    import ipywidgets as widgets

    slider: Any = widgets.IntSlider(
        value=1, min=1, max=max(len(trajectory.steps), 1), description="step", continuous_update=False
    )
    pane: Any = widgets.HTML()
    steps = hypotheses.told(trajectory.steps)

    def update(_: object = None) -> None:
        pane.value = step_html(steps[slider.value - 1]) if steps else "nothing was done"

    slider.observe(update, "value")
    update()
    whole = widgets.HTML(html(trajectory))
    tabs = widgets.Tab([widgets.VBox([slider, pane]), whole])
    tabs.set_title(0, "step by step")
    tabs.set_title(1, "the whole run")
    return tabs


def _raised(flags: str, trajectory: Trajectory) -> bool:
    return bool(set(filter(None, flags.split(", "))) - set(trajectory.stamps))


def _left(trajectory: Trajectory) -> list[tuple[str, str, str]]:
    """Name, what was spent and the limit of each budget that adds up."""
    if not trajectory.steps:
        return []
    limits, left = trajectory.card.limits, trajectory.steps[-1].outcome.left
    names = ("actions", "nominal_cpu", "training_tokens", "evaluations", "llm_tokens", "money")
    pairs = [(name, getattr(limits, name), getattr(left, name)) for name in names]
    return [(name.replace("_", " "), f"{limit - rest:g}", f"{limit:g}") for name, limit, rest in pairs]


def _detail(step: Step) -> dict[str, Any]:
    outcome, action = step.outcome, dict(step.action or {})
    code = action.pop("code", None)
    result = {name: value for name, value in step.result.items() if name not in ("losses", "wrong", "first")}
    state = "error" if outcome.error else "done"
    return {
        "number": outcome.step,
        "kind": outcome.action.replace("_", " "),
        "about": step.about,
        "state": f"{outcome.error.code} error" if outcome.error else state,
        "failed": outcome.error is not None,
        "message": f"{outcome.error.message} ({outcome.error.hint})" if outcome.error else "",
        "flags": ", ".join(outcome.flags),
        "nominal": f"{outcome.charged.nominal_cpu:.3f}",
        "wall": f"{step.measured.wall:.1f}" if step.measured else "",
        "notes": [(note.kind, note.text) for note in step.notes],
        "code": code,
        "action": json.dumps({name: value for name, value in action.items() if name != "kind"}),
        "result": json.dumps(result, ensure_ascii=False)[:SHOWN_TEXT],
        "wrong": [_item(item) for item in step.result.get("wrong", [])],
    }


def _item(item: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(item.get(name, "")) for name in ("prompt", "answered", "expected")}


def _rows(diff: DataDiff) -> list[tuple[str, str, str]]:
    """A few rows of each kind: what happened, prompt, completion."""
    rows = [("added", prompt, completion) for prompt, completion in diff.added[:SHOWN_ROWS]]
    rows += [("removed", prompt, completion) for prompt, completion in diff.removed[:SHOWN_ROWS]]
    return rows + [("changed", prompt, f"{old} → {new}") for prompt, old, new in diff.changed[:SHOWN_ROWS]]


def _embedded(figure: Figure) -> str:
    raw = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": "triptych"}):
        figure.savefig(raw, format="svg", metadata={"Date": None})
    return "data:image/svg+xml;base64," + base64.b64encode(raw.getvalue()).decode()


def table(trajectory: Trajectory) -> pd.DataFrame:
    """The numbers behind `timeline`: one row a step, with the val score where there is one."""
    scores = trajectory.evaluations.drop_duplicates("step")[["step", "score", "low", "high"]]
    return trajectory.timeline.drop(columns=["wall", "cpu"]).merge(scores, on="step", how="left")


_TEMPLATE = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=jinja2.StrictUndefined
).get_template("trajectory.html")
