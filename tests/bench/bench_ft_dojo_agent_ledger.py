"""The ledger of a whole run of FT-Agent against what others counted.

CPU: the kernel's account of the training worker's process tree, at the end less at the start, and `getrusage` of the
scripts' sandboxes, which are reaped by then; the scorer, which no budget pays, still runs. Evaluations: submissions
that the scorer was handed. Training tokens: what the trainer itself counted while it trained. Actions: lines of the
journal.
"""

from __future__ import annotations

BAR = "ft-agent-ledger"
STUDY = "ft_dojo"
KIND = "long"
UNIT = "% by which the rows' CPU misses the kernel's; 100 when a count is not equal"
TARGET = "<= 5"
READS = ("lib/triptych/ft_dojo/tiny_base/*",)


def measure() -> float:
    """One run on one task."""
    import json
    import math
    import resource
    import sys
    import tempfile
    from pathlib import Path

    import psutil

    from triptych.ft_dojo import tiny
    from triptych.ft_dojo.agents import workplace
    from triptych.ft_dojo.agents.ft_agent import FTAgent
    from triptych.ft_dojo.agents.rules import Strategist
    from triptych.ft_dojo.environment import journal
    from triptych.ft_dojo.environment.training import TrainingWorker

    def used(process: psutil.Process) -> float:
        family = [process, *process.children(recursive=True)]
        times = [member.cpu_times() for member in family]
        return math.fsum(t.user + t.system + t.children_user + t.children_system for t in times)

    def reaped() -> float:
        found = resource.getrusage(resource.RUSAGE_CHILDREN)
        return found.ru_utime + found.ru_stime

    base = tiny.base(tiny.TinySpec())
    with tempfile.TemporaryDirectory() as scratch, TrainingWorker(base.folder) as worker:
        worker.ready()
        [trainer] = psutil.Process().children()
        start = used(trainer) + reaped()
        with workplace.run(Path(scratch), "finance", 0, base, worker) as run:
            FTAgent(Strategist(), seed=0).play(run)
            ledger = run.ledger
            entries = journal.read(run.folder)[1:]
            total = used(trainer) + reaped() - start
            handed = [
                json.loads(path.read_text("utf-8"))["split"] for path in (run.folder / "submissions").glob("*.json")
            ]
    rows = math.fsum(row.cpu for row in ledger.measured)
    spent = ledger.total()
    trained = sum(
        entry["outcome"]["result"]["tokens"]
        for entry in entries
        if entry["kind"] == "train" and entry["outcome"]["result"]
    )
    counts = {
        "actions": (spent.actions, len(entries)),
        "evaluations": (spent.evaluations, handed.count("val")),
        "training tokens": (spent.training_tokens, trained),
        "nominal": (spent.nominal_cpu, round(math.fsum(e["outcome"]["charged"]["nominal_cpu"] for e in entries), 6)),
    }
    print(f"ledger against others: {counts}; CPU {rows:.2f} against {total:.2f} s", file=sys.stderr)
    equal = all(math.isclose(one, other, abs_tol=1e-6) for one, other in counts.values())
    return 100 * abs(rows - total) / rows if equal else 100.0
