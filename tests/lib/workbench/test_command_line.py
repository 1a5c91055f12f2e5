"""`python -m triptych`: readable answers, no tracebacks for what a user can cause."""

from __future__ import annotations

import json


def test_list_and_params(checkout):
    said = checkout.triptych("list").stdout
    assert "legal_rag/01_first  (0.1 min)" in said
    assert "Does a stage find what another one made?" in said
    said = checkout.triptych("params", "notebooks/legal_rag/01_first.ipynb").stdout
    assert "n: int = 20\n    points drawn\n    smoke: 3\n    full: 50" in said


def test_an_error_has_words_a_hint_and_no_traceback(checkout):
    done = checkout.triptych("params", "legal_rag/99")
    assert done.returncode == 2
    assert done.stderr.startswith("triptych: no stage is called 'legal_rag/99'")
    assert "→ stages: legal_rag/01_first" in done.stderr
    assert "Traceback" not in done.stderr
    checkout.variables["TRIPTYCH_TRACEBACK"] = "1"  # for developers
    assert "Traceback" in checkout.triptych("params", "legal_rag/99").stderr


def test_a_broken_notebook_file_is_named(checkout):
    path = checkout.root / "notebooks/legal_rag/01_first.ipynb"
    path.write_text(path.read_text()[:200])
    done = checkout.triptych("run", "legal_rag/01_first")
    assert done.returncode == 3
    assert "is not a notebook" in done.stderr


def test_a_record_tells_how_the_outputs_were_made(made):
    record = json.loads((made.root / "build/runs/quick/legal_rag-01_first.record.json").read_text())
    assert record["seeds"] == {"seed": 7}
    assert record["parameters"]["n"] == 20
    assert record["machine"]["cores"] >= 1
    assert record["peak_memory_gb"] > 0
    assert len(record["cell_seconds"]) == 8
    assert record["wall_seconds"] >= sum(record["cell_seconds"]) - 0.1
    assert set(record["outputs"]) >= {"fig-first.svg", "facts.json", "legal_rag-01_first.ipynb"}
