"""One run of one agent as one row, for the studies that put many runs side by side.

Rows come from the journal, never from what an agent says of itself.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from triptych.errors import InputMissing
from triptych.ft_dojo import trajectory
from triptych.ft_dojo.agents import workplace
from triptych.ft_dojo.agents.ft_agent import WORSE
from triptych.ft_dojo.agents.plan import Agent, Verdict
from triptych.ft_dojo.environment.budget import Limits
from triptych.ft_dojo.environment.session import Human, Session
from triptych.ft_dojo.environment.training import TrainingWorker
from triptych.ft_dojo.tiny import Base
from triptych.ft_dojo.trajectory import Step, Trajectory

if TYPE_CHECKING:
    from triptych.notebook import Stage

Row = dict[str, Any]


def play(
    task: str,
    seed: int,
    base: Base,
    worker: TrainingWorker,
    agent: Callable[[Session], Agent],
    limits: Limits,
    *,
    human: Human | None = None,
    sizes: Mapping[str, int] | None = None,
) -> Row:
    """Play a run in a folder that is thrown away, and give its row."""
    with (
        tempfile.TemporaryDirectory(prefix="triptych-trial-") as folder,
        workplace.run(Path(folder), task, seed, base, worker, sizes=sizes, limits=limits, human=human) as session,
    ):
        verdict = agent(session).play(session)
        return row(trajectory.read(session.folder), verdict, seed)


def row(run: Trajectory, verdict: Verdict, seed: int) -> Row:
    """Scores in normalised points, nominal CPU-seconds, counts, and the journal's last word on the run.

    A run that handed nothing in scores 0, as in the benchmark; `ended` says so. `wasted` are the seconds of actions
    that ended in an error, of rehearsals that were rejected and of full trainings that diverged.
    """
    last = run.steps[-1] if run.steps else None
    handed = last.result if last and last.outcome.action == "submit" else {}
    kinds = [step.outcome.action for step in run.steps]
    return {
        "task": run.card.id,
        "seed": seed,
        "agent": verdict.agent,
        "proposer": verdict.proposer,
        "test": handed.get("normalised", 0.0),
        "seconds": sum(step.outcome.charged.nominal_cpu for step in run.steps),
        "wasted": sum(step.outcome.charged.nominal_cpu for step in run.steps if wasteful(step)),
        "trainings": sum(step.outcome.action == "train" and not (step.action or {})["micro"] for step in run.steps),
        "questions": kinds.count("ask_human"),
        "money": sum(step.outcome.charged.money for step in run.steps),
        "tried": verdict.tried,
        "ended": verdict.ended,
        "reason": verdict.reason,
        "flags": ", ".join(run.flags),
    }


def wasteful(step: Step) -> bool:
    """Whether the action came to nothing: an error, or losses that ended above what a start may rise to."""
    losses = step.result.get("losses", [])
    return step.outcome.error is not None or bool(losses and losses[-1] > WORSE * losses[0])


def recorded(stage: Stage, name: str, compute: Callable[[], Any], live: Any) -> Any:
    """`stage.recorded`, or what was played live while nothing is recorded yet, which every later figure then says."""
    try:
        return stage.recorded(name, compute)
    except InputMissing:
        stage.note("missing", f"{name} is not recorded yet: only what was played in this run is shown")
        return live


def gather(
    wanted: Iterable[Mapping[str, Any]],
    do: Callable[[Mapping[str, Any]], Row],
    kept: Path,
    on_row: Callable[[Row], None] | None = None,
) -> pd.DataFrame:
    """One row for each wanted cell; rows already in the JSONL file `kept` are not made again.

    A cell's names and values stand in its row beside what `do` found. A line that a kill cut off is taken out and
    made again.
    """
    done: dict[str, Row] = {}
    if kept.exists():
        raw = kept.read_bytes()
        whole = raw[: raw.rfind(b"\n") + 1]
        if whole != raw:
            kept.write_bytes(whole)
        for line in whole.decode().splitlines():
            made = json.loads(line)
            done[made["cell"]] = made["row"]
    rows: list[Row] = []
    for cell in wanted:
        name = json.dumps(dict(cell), sort_keys=True)
        if name not in done:
            done[name] = json.loads(json.dumps({**cell, **do(cell)}))
            with kept.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"cell": name, "row": done[name]}) + "\n")
            if on_row is not None:
                on_row(done[name])
        rows.append(done[name])
    return pd.DataFrame(rows)
