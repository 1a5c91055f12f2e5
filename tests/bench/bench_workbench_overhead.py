"""What running a notebook as a stage costs over its cells: interpreter, papermill, kernel, checks, publication."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time

import scratch

BAR = "workbench-stage-overhead"
STUDY = "workbench"
KIND = "short"
UNIT = "s, median of 5"
TARGET = "<= 3"


def measure() -> float:
    """Seconds of `triptych run` that no cell used, for a stage of one trivial cell."""
    with scratch.copy(environment=True) as root:
        (root / "notebooks/ft_dojo/99_tiny.ipynb").write_text(
            scratch.miniature.notebook(scratch.miniature.THIRD).replace("03_third", "99_tiny")
        )
        with (root / "notebooks/stages.toml").open("a") as file:
            file.write(
                scratch.miniature.STAGES[scratch.miniature.STAGES.index('["ft_dojo/03_third"]') :].replace(
                    "03_third", "99_tiny"
                )
            )
        times: list[float] = []
        for _ in range(5):
            start = time.perf_counter()
            subprocess.run(
                [sys.executable, "-m", "triptych", "run", "ft_dojo/99_tiny"],
                cwd=root, check=True, stdout=subprocess.DEVNULL,
                env={**scratch.os.environ, "PYTHONPATH": str(root / "lib"), "TRIPTYCH_ROOT": str(root)},
            )  # fmt: skip
            wall = time.perf_counter() - start
            record = json.loads((root / "build/runs/quick/ft_dojo-99_tiny.record.json").read_text())
            times.append(wall - sum(record["cell_seconds"]))
        return statistics.median(times)
