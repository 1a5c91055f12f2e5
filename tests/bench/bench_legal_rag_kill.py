"""kill -9 at 20 random moments of the factorial: calls repeated, rows lost or doubled."""

from __future__ import annotations

from pathlib import Path

BAR = "legal-rag-kill"
STUDY = "legal_rag"
KIND = "long"
UNIT = "finished calls asked again, rows lost or doubled, of 20 kills"
TARGET = "== 0"
READS = ("tests/bench/factorial_run.py",)
KILLS = 20


def measure() -> float:
    """A whole factorial against a local server is killed and started again until it ends; then its table is compared.

    The server counts how often it finished answering each question. A call whose answer was on its way when the process
    died may be asked again, once for each kill and no more; one whose answer is in the file may not.
    """
    import json
    import random
    import subprocess
    import sys
    import tempfile
    from collections import Counter

    from factorial_run import Server, expected_rows

    rng, kills, repeated = random.Random(0), 0, 0
    with tempfile.TemporaryDirectory() as scratch, Server() as server:
        top = Path(scratch)
        answers, table = top / "answers.jsonl", top / "table.jsonl"
        command = [sys.executable, str(Path(__file__).with_name("factorial_run.py")), server.url, str(answers)]
        while True:
            before = _kept(answers)
            server.asked.clear()
            process = subprocess.Popen([*command, str(table)])
            if kills < KILLS:
                server.wait_for(rng.randint(1, 6), process)
                if process.poll() is None:
                    process.kill()
                    kills += 1
            process.wait()
            repeated += sum(question in before for question in server.asked)
            if process.returncode == 0:
                break
            if process.returncode > 0:  # it failed by itself: a kill shows as -9
                raise RuntimeError("the factorial failed; what it said stands above")
        rows = [tuple(json.loads(line)) for line in table.read_text("utf-8").splitlines()]
        wrong = sum((Counter(rows) - Counter(expected_rows())).values())
        wrong += sum((Counter(expected_rows()) - Counter(rows)).values())
        doubled = len(lines := _kept(answers)) - len(set(lines))
    print(f"{kills} kills, {repeated} repeated, {wrong} rows wrong, {doubled} doubled", file=sys.stderr)
    return float(repeated + wrong + doubled + (KILLS - kills))


def _kept(path: Path) -> list[str]:
    """The last messages of the answers that are whole in the file."""
    import json

    found: list[str] = []
    for line in path.read_text("utf-8").splitlines() if path.exists() else []:
        try:
            found.append(json.loads(line)["messages"][-1]["content"])
        except ValueError:
            continue
    return found
