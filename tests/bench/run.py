"""Run the bars: one script a bar, one JSON line a bar, every measurement kept in build/bench.jsonl.

A script `bench_*.py` beside this file declares BAR, STUDY, KIND ("short" or "long"), UNIT, TARGET (an operator and a
number, "<= 3") and `measure() -> float`; READS, globs from the root, adds files that the value depends on besides the
script, the library modules it imports and the lock. Short bars are measured; for a long one the last value is printed
with its date, and does not hold once the code has changed. `--kind long` measures the long ones.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import operator
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from triptych import keys, paths, record

FOLDER = Path(__file__).resolve().parent
STUDIES = ("workbench", "legal_rag", "bitsys", "ft_dojo")
COMPARE = {"<=": operator.le, ">=": operator.ge, "==": operator.eq, "<": operator.lt, ">": operator.gt}


@dataclass(frozen=True)
class Bar:
    """One declared bar."""

    path: Path
    name: str
    study: str
    kind: str
    unit: str
    target: str
    reads: tuple[str, ...]

    @property
    def key(self) -> str:
        """Digest of everything the value depends on."""
        root = paths.root()
        found = {path for pattern in self.reads for path in root.glob(pattern) if path.is_file()}
        files = {path for path in found if "__pycache__" not in path.parts}
        files |= {self.path, FOLDER / "scratch.py", root / "requirements.lock"}
        files |= set(keys.modules([self.path.read_text("utf-8")]))
        return keys.digest({path.relative_to(root).as_posix(): keys.file_digest(path) for path in sorted(files)})

    def holds(self, value: float) -> bool:
        sign, number = self.target.split()
        return COMPARE[sign](value, float(number))


def load(path: Path) -> Bar:
    """Read the declaration of a script. Raises SystemExit that names what is missing."""
    module = module_of(path)
    values = {name: getattr(module, name, None) for name in ("BAR", "STUDY", "KIND", "UNIT", "TARGET", "measure")}
    if missing := [name for name, value in values.items() if value is None]:
        raise SystemExit(f"{path.name} does not declare {', '.join(missing)}")
    if values["STUDY"] not in STUDIES or values["KIND"] not in ("short", "long"):
        raise SystemExit(f"{path.name}: STUDY is one of {', '.join(STUDIES)}; KIND is short or long")
    if values["TARGET"].split()[0] not in COMPARE:
        raise SystemExit(f"{path.name}: TARGET is an operator and a number, for example '<= 3'")
    reads = tuple(getattr(module, "READS", ()))
    return Bar(path, *(values[name] for name in ("BAR", "STUDY", "KIND", "UNIT", "TARGET")), reads)


def module_of(path: Path) -> Any:
    """Import a script by its path."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def measure(bar: Bar) -> dict[str, Any]:
    """Measure one bar in a process of its own and keep the line with its record."""
    done = subprocess.run(
        [sys.executable, __file__, "--measure", str(bar.path)], stdout=subprocess.PIPE, text=True, cwd=paths.root()
    )
    last = done.stdout.strip().splitlines()[-1] if done.returncode == 0 and done.stdout.strip() else "null"
    value = json.loads(last)
    line = {
        "bar": bar.name,
        "value": value,
        "unit": bar.unit,
        "target": bar.target,
        "holds": value is not None and bar.holds(value),
        "measured": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
    }
    log = paths.build() / "bench.jsonl"
    log.parent.mkdir(parents=True, exist_ok=True)
    about = {"key": bar.key, "study": bar.study, "git": record.git_state(), "machine": record.machine()}
    with log.open("a", encoding="utf-8") as file:
        file.write(json.dumps({**line, "record": about}) + "\n")
    return line


def last_known(bar: Bar) -> dict[str, Any]:
    """The last recorded line of a bar; it does not hold when nothing is recorded or its key is another."""
    log = paths.build() / "bench.jsonl"
    rows = [json.loads(line) for line in log.read_text("utf-8").splitlines()] if log.exists() else []
    found = [row for row in rows if row["bar"] == bar.name]
    if not found:
        empty = {"bar": bar.name, "value": None, "unit": bar.unit, "target": bar.target}
        return {**empty, "holds": False, "measured": None}
    about = found[-1].pop("record")
    return {**found[-1], "holds": found[-1]["holds"] and about["key"] == bar.key}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kind", choices=("short", "long"), default="short")
    parser.add_argument("--bar")
    parser.add_argument("--study", choices=STUDIES)
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.measure:
        print(json.dumps(float(module_of(chosen.measure).measure())))
        return 0
    bars = [load(path) for path in sorted(FOLDER.glob("bench_*.py"))]
    if chosen.bar and chosen.bar not in {bar.name for bar in bars}:
        print(f"no bar is called {chosen.bar!r}; bars: {', '.join(bar.name for bar in bars)}", file=sys.stderr)
        return 2
    failed = 0
    for bar in bars:
        if chosen.bar not in (None, bar.name) or chosen.study not in (None, bar.study):
            continue
        now = bar.kind == chosen.kind or chosen.bar == bar.name
        if not now and chosen.kind == "long":
            continue
        line = measure(bar) if now else last_known(bar)
        failed += now and not line["holds"]
        print(json.dumps(line), flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
