"""A short run in a process of its own, to be killed: `python played_run.py TASK HIDDEN RUN BASE`.

The same actions each time; a killed run is resumed by starting it again.
"""

from __future__ import annotations

import sys
from pathlib import Path

from triptych.ft_dojo.environment import task_folder
from triptych.ft_dojo.environment.actions import Evaluate, Inspect, RunDataScript, Submit, Train
from triptych.ft_dojo.environment.session import Session
from triptych.ft_dojo.environment.training import TrainingWorker
from triptych.ft_dojo.trainer import TrainSpec

# What every honest agent does first: rows as they stand, those without a question or an answer left out.
CLEAN = """
import json
with open("public/train.jsonl") as raw, open("out/train.jsonl", "w") as out:
    for row in map(json.loads, raw):
        if row["question"].strip() and row["answer"].strip():
            text = {"prompt": row["question"] + "\\nanswer :", "completion": " " + row["answer"] + " ."}
            out.write(json.dumps(text) + "\\n")
"""


def main() -> None:
    task, hidden, run, base = map(Path, sys.argv[1:])
    spec = TrainSpec(steps=12, batch=8, learning_rate=2e-3)
    with TrainingWorker(base) as worker, Session(task_folder.read(task, hidden), run, worker) as session:
        session.step(Inspect(path="public/train.jsonl"))
        session.step(RunDataScript(code=CLEAN, debug=True))
        data = str((session.step(RunDataScript(code=CLEAN)).result or {})["data"])
        session.step("not an action")
        models = [
            str((session.step(Train(spec=spec.but(seed=seed), data=data)).result or {})["model"]) for seed in range(3)
        ]
        for model in models:
            session.step(Evaluate(model=model, n=20))
        outcome = session.step(Submit(model=models[0], rivals=models[1:]))
        print(outcome.reward)


if __name__ == "__main__":
    main()
