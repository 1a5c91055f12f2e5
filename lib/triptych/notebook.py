"""What a notebook holds in its hand: one `Stage` that knows its declaration, reads inputs and writes outputs.

    stage = Stage("bitsys/01_multiplier")
    frame = stage.input("legal_rag/01_retrieval/recall.parquet")
    stage.figure(figure, "fig-…", caption="…", table=frame)
    stage.result("summary.json", {...})
    stage.record()

Under `make` everything goes to a partial folder that `triptych.execute` publishes when the whole notebook is done. In
JupyterLab the same calls write to build/lab/ and publish nothing.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
from IPython.display import Image, Markdown, display
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from triptych import figures, keys, paths, record, stages, tables
from triptych.errors import DataError, InputMissing, StageError


class Stage:
    """The running stage. `profile` is smoke, quick, full or paper; `parameters` are the resolved values."""

    def __init__(self, name: str) -> None:
        self.spec = stages.get(name)
        running = os.environ.get("TRIPTYCH_STAGE")
        if running and running != self.spec.name:
            raise StageError(
                f"the notebook opens {name!r} but is run as {running!r}", "correct the name in its Stage(…) call"
            )
        self.profile = stages.check_profile(os.environ.get("TRIPTYCH_PROFILE", "quick"))
        self._folder = os.environ.get("TRIPTYCH_FOLDER", self.profile)  # where this run will be published
        self._overrides: dict[str, Any] = json.loads(os.environ.get("TRIPTYCH_OVERRIDES") or "{}")
        self.parameters = stages.resolve(self.spec, self.profile, self._overrides)
        self.live = not running  # in JupyterLab: nothing is published
        self.folder = Path(os.environ.get("TRIPTYCH_PARTIAL") or paths.build() / "lab" / self.spec.slug)
        self._made: dict[str, dict[str, Any]] = {"figures": {}, "results": {}, "recorded": {}}
        self._notes: list[dict[str, str]] = []
        self._tools: dict[str, str] = {}
        self._models: list[dict[str, Any]] = []
        figures.use_style()
        if self.profile == "smoke":
            self.note("smaller", "smoke profile: a check that the code runs, not a measurement")
        if self._overrides:
            self.note("parameters", f"not the profile's own: {json.dumps(self._overrides)}")

    # --- inputs ---------------------------------------------------------------------------------------------------

    def input(self, reference: str) -> Any:
        """A result that another stage published ("study/notebook/result.json"): a frame or what JSON holds.

        Raises StageError when the declaration does not name it, InputMissing when nobody has made it.
        """
        if reference not in self.spec.inputs:
            raise StageError(
                f"{self.spec.name} does not declare the input {reference!r}", "add it to inputs in stages.toml"
            )
        producer, _ = stages.producer(reference)
        path = paths.results(self.profile) / reference
        if not path.exists():
            raise InputMissing(
                f"{reference} has not been made in profile {self.profile}",
                f"make figures PROFILE={self.profile} STUDY={producer.split('/')[0]}",
            )
        return tables.read(path)

    def recorded(self, name: str, compute: Callable[[], tables.Table]) -> Any:
        """A result that costs hours: computed in `smoke` and `paper`, taken from the committed record otherwise.

        `quick` replays the recorded result and marks it on every later figure, older code and other parameters
        included. `full` replays it when its key matches the code and no parameter was set to something else than what
        was recorded, and recomputes it, saying so, when not; `python -m triptych keep STAGE` then puts the new one into
        the checkout. Raises InputMissing when `quick` finds nothing recorded.
        """
        if name not in self.spec.recorded:
            raise StageError(f"{self.spec.name} does not declare the recorded result {name!r}", "add it to recorded")
        committed, about = keys.recorded_files(self.spec, name)
        if self.profile in ("quick", "full") and committed.exists():
            facts = _description(about, committed)
            current = facts["key"] == keys.recorded_key(self.spec)
            other = [name for name, value in self._overrides.items() if facts["parameters"].get(name) != value]
            if (current and not other) or self.profile == "quick":
                age = "" if current else ", older than the code"
                age += f", made with another {', '.join(other)}" if other else ""
                usual = str(facts.get("command")).startswith("make figures PROFILE=full")
                origin = "a full run" if usual else f"`{facts.get('command')}`"
                self.note("recorded", f"{name} replayed from {origin} of {facts['date']}{age}")
                self._made["recorded"][name] = {part: facts[part] for part in ("sha256", "key")}
                return tables.read(committed)
            why = f"made with another {', '.join(other)}" if other else "older than the code"
            print(f"{name}: recorded on {facts['date']} and {why}; computing it again")
        elif self.profile == "quick":
            raise InputMissing(
                f"nothing is recorded for {name}",
                f"make figures PROFILE=full STUDY={self.spec.study} && python -m triptych keep {self.spec.name}",
            )
        value = compute()
        path = tables.write(value, self.folder / "recorded" / name)
        self._made["recorded"][name] = {"sha256": keys.file_digest(path), "key": keys.recorded_key(self.spec)}
        self._save()
        return tables.read(path)

    def resume_file(self, name: str) -> Path:
        """A file that outlives an interrupted run: append finished rows to it, skip those on the next try.

        It is kept apart by the stage's content key, so rows of other code or parameters are never mixed in.
        """
        own = keys.key(self.spec, self.profile, self.parameters)[:16]
        folder = paths.cache() / "stages" / self.spec.slug / own
        folder.mkdir(parents=True, exist_ok=True)
        return folder / name

    # --- outputs --------------------------------------------------------------------------------------------------

    def figure(self, figure: Figure, name: str, *, caption: str, table: pd.DataFrame) -> None:
        """Save a declared figure (SVG, PDF, PNG), its caption and the numbers in it, and display it.

        Raises StageError when the name is not declared, or was already used.
        """
        self._declared(name, self.spec.figures, "figures")
        folder = self.folder / "figures"
        marks = [f"{note['kind']}: {note['text']}" for note in self._notes]
        written = figures.save(figure, folder / name, marks)
        for path in written:
            if path.suffix == ".png":
                display(Image(data=path.read_bytes(), width=720, alt=caption))
        caption_file = folder / f"{name}.md"
        caption_file.write_text("\n\n".join([caption.strip(), *(f"*{mark}*" for mark in marks)]) + "\n", "utf-8")
        numbers = tables.write_numbers(table, folder / f"{name}.csv")
        self._made["figures"][name] = {path.name: keys.file_digest(path) for path in [*written, caption_file, numbers]}
        plt.close(figure)
        self._save()

    def result(self, name: str, value: tables.Table) -> None:
        """Save a declared result: a frame as .parquet, a dictionary or list as .json."""
        self._declared(name, self.spec.results, "results")
        path = tables.write(value, self.folder / "results" / name)
        self._made["results"][name] = {path.name: keys.file_digest(path)}
        self._save()

    def note(self, kind: str, text: str) -> None:
        """Something a reader must know before believing the figures: replayed, smaller, unsandboxed, tool missing.

        It is printed on every figure saved afterwards and kept in the record.
        """
        if {"kind": kind, "text": text} not in self._notes:
            self._notes.append({"kind": kind, "text": text})
        self._save()

    def used(self, tool: str, version: str) -> None:
        """Add the version of a tool (Verilator, yosys, a model's sha256) to the record."""
        self._tools[tool] = version
        self._save()

    def asked(self, model: str, live: int, replayed: int) -> None:
        """Add the number of live and replayed calls of a language model to the record."""
        self._models.append({"model": model, "live": live, "replayed": replayed})
        self._save()

    def record(self) -> None:
        """Display what is known of this run; `triptych.execute` adds times and memory when it is over."""
        facts = self.facts()
        rows = [
            (
                "stage, profile",
                f"{self.spec.name}, {self.profile}" + (" (JupyterLab, not published)" if self.live else ""),
            ),
            ("parameters", json.dumps(self.parameters)),
            ("seeds", json.dumps(facts["seeds"])),
            ("data", ", ".join(f"{name} ({value[:12]})" for name, value in facts["data"].items()) or "generated here"),
            (
                "versions",
                ", ".join(f"{name} {value}" for name, value in {**facts["versions"], **facts["tools"]}.items()),
            ),
            ("model calls", json.dumps(facts["models"]) if facts["models"] else "none"),
            ("notes", "; ".join(f"{note['kind']}: {note['text']}" for note in facts["notes"]) or "none"),
            ("outputs", ", ".join([*self._made["figures"], *self._made["results"]]) or "none"),
        ]
        display(Markdown("| run record | |\n|---|---|\n" + "\n".join(f"| {key} | {value} |" for key, value in rows)))
        self._save()

    def facts(self) -> dict[str, Any]:
        """The kernel's share of the record, JSON-native."""
        return {
            "seeds": {name: value for name, value in self.parameters.items() if name in ("seed", "seeds")},
            "data": keys.data_digests(self.spec),
            "versions": record.versions(),
            "tools": self._tools,
            "models": self._models,
            "notes": self._notes,
            "made": self._made,
        }

    def _declared(self, name: str, names: tuple[str, ...], kind: str) -> None:
        if name not in names:
            raise StageError(
                f"{self.spec.name} does not declare {name!r}; {kind}: {', '.join(names)}", "add it to stages.toml"
            )
        if name in self._made[kind] and not self.live:
            raise StageError(f"{self.spec.name} writes {name!r} twice", "give the second one a name of its own")

    def _save(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "kernel.json").write_text(json.dumps(self.facts(), default=tables.plain, indent=1), "utf-8")


def _description(about: Path, committed: Path) -> dict[str, Any]:
    """The record of a recorded result. Raises DataError unless it describes exactly the file beside it."""
    try:
        facts = json.loads(about.read_text("utf-8"))
        expected = facts["sha256"], facts["key"], facts["date"]
    except (OSError, ValueError, KeyError, TypeError):
        raise DataError(f"{committed.name} has no readable record {about.name}", "git checkout notebooks") from None
    if expected[0] != keys.file_digest(committed):
        raise DataError(f"{committed.name} is not the file that {about.name} describes", "git checkout notebooks")
    return facts
