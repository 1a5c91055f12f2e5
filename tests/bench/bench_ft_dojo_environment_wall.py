"""By how much an action that ignores the wall clock outlives what is left of its budget."""

from __future__ import annotations

from pathlib import Path

BAR = "environment-wall-overshoot"
STUDY = "ft_dojo"
KIND = "short"
UNIT = "seconds, worst of scripts and a training"
TARGET = "<= 2"
READS = ("tests/bench/dojo_runs.py",)

SCRIPTS = (
    "import time\ntime.sleep(1000)",
    "while True: pass",
    "import os, signal, time\nfor n in {1, 2, 15}: signal.signal(n, signal.SIG_IGN)\nos.setsid()\ntime.sleep(1000)",
    "import os\nfor _ in range(12):\n    if os.fork() == 0:\n        while True: pass\nos.wait()",
)


def measure() -> float:
    """Wall seconds beyond the budget of two seconds, over scripts that do not end and an endless training."""
    import tempfile

    import dojo_runs
    from triptych.ft_dojo.environment.budget import ScriptLimits
    from triptych.ft_dojo.trainer import TrainSpec

    patient = ScriptLimits(wall=600.0, cpu=600.0, nominal=0.0)
    worst = 0.0
    with tempfile.TemporaryDirectory() as scratch, dojo_runs.worker() as worker:
        worker.ready()
        for number, code in enumerate(SCRIPTS):
            with dojo_runs.session(
                Path(scratch) / str(number), worker, wall=2.0, cpu=600.0, full_script=patient
            ) as run:
                outcome = run.step(dojo_runs.script(code))
            worst = max(worst, dojo_runs.expect(outcome, "timeout").wall - 2.0)
        free = dojo_runs.FREE
        with dojo_runs.session(Path(scratch) / "train", worker, free, wall=6.0, training_tokens=10**12) as run:
            data = dojo_runs.prepared(run)
            left = run.ledger.wall_left()
            outcome = run.step(dojo_runs.Train(spec=TrainSpec(steps=100_000, batch=16), data=data))
        return max(worst, dojo_runs.expect(outcome, "timeout").wall - left)
