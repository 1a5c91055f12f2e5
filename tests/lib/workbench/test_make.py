"""Staleness by content: what runs again, what does not, and that make -n and make -q say so exactly."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

ALL = {"legal_rag/01_first", "bitsys/02_second", "ft_dojo/03_third"}
CHAIN = {"legal_rag/01_first", "bitsys/02_second"}


@pytest.fixture
def built(checkout):
    """A checkout in which every stage is recorded as made from what is there now, without running any."""
    from triptych import keys, stages

    os.environ["TRIPTYCH_ROOT"] = str(checkout.root)
    try:
        for spec in stages.load().values():
            for path in keys.published(spec, "quick"):
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text("made")
            parts = keys.parts(spec, "quick")
            keys.record_file(spec, "quick").write_text(json.dumps({"key": keys.digest(parts), "parts": parts}))
    finally:
        del os.environ["TRIPTYCH_ROOT"]
    return checkout


def test_nothing_made_everything_would_run_in_order(checkout):
    assert checkout.would_run() == ALL
    assert checkout.make("-q", "figures").returncode == 1
    assert checkout.would_run("STUDY=bitsys") == CHAIN
    assert checkout.would_run("STUDY=ft_dojo") == {"ft_dojo/03_third"}
    assert not (checkout.root / "build" / "runs").exists()


def test_nothing_to_do_when_all_is_made(built):
    assert built.would_run() == set()
    assert built.make("-q", "figures").returncode == 0
    assert built.would_run("PROFILE=smoke") == ALL


def test_touching_any_file_reruns_nothing(built):
    later = time.time() + 1000
    for path in built.root.rglob("*"):
        if path.is_file() and ".venv" not in path.parts:
            os.utime(path, (later, later))
    assert built.make("-q", "figures").returncode == 0


def test_editing_prose_or_declared_minutes_reruns_nothing(built):
    path = "notebooks/legal_rag/01_first.ipynb"
    text = (built.root / path).read_text()
    built.write(path, text.replace("# Does the first stage work?", "# Does the very first stage work?"))
    declared = (built.root / "notebooks/stages.toml").read_text()
    built.write("notebooks/stages.toml", declared.replace("minutes = 0.1", "minutes = 9"))
    assert built.would_run() == set()


CHANGES = {
    "a library module of one study": ("lib/triptych/legal_rag/walk.py", "cumsum", "cumprod", CHAIN),
    "a module every notebook imports": ("lib/triptych/tables.py", "six significant", "6 significant", ALL),
    "a module no notebook imports": (
        "lib/triptych/execute.py",
        "HEARTBEAT_SECONDS = 20.0",
        "HEARTBEAT_SECONDS = 21.0",
        set(),
    ),
    "an rtl file": ("rtl/bitsys/one.sv", "module one", "module two", CHAIN),
    "a parameter of this profile": ("notebooks/stages.toml", "quick = {}", "quick = { n = 21 }", CHAIN),
    "a parameter of another profile": ("notebooks/stages.toml", "full = { n = 50 }", "full = { n = 51 }", set()),
    "a default": (
        "notebooks/bitsys/02_second.ipynb",
        "factor: float = 2.0",
        "factor: float = 3.0",
        {"bitsys/02_second"},
    ),
    "a data digest": ("lib/triptych/data.toml", "994d894b", "094d894b", CHAIN),
    "words about data": ("lib/triptych/data.toml", "wrapper MIT; EU", "Wrapper MIT; EU", set()),
    "a code cell": ("notebooks/ft_dojo/03_third.ipynb", "{'one': one}", "{'two': one}", {"ft_dojo/03_third"}),
    "the lock": ("requirements.lock", "papermill==", "papermill===", ALL),
}


@pytest.mark.parametrize("change", CHANGES)
def test_exactly_the_dependent_stages_rerun(built, change):
    path, old, new, expected = CHANGES[change]
    text = (built.root / path).read_text()
    assert old in text
    built.write(path, text.replace(old, new, 1))
    assert built.would_run() == expected
    assert built.make("-q", "figures").returncode == (1 if expected else 0)
    built.write(path, text)  # back to what the outputs were made from
    assert built.would_run() == set()


def test_a_missing_output_is_made_again_alone(built):
    (built.root / "build/figures/quick/fig-first.pdf").unlink()
    assert built.would_run() == {"legal_rag/01_first"}
    said = built.triptych("keys").stdout
    assert "missing: fig-first.pdf" in said


def test_why_a_stage_is_stale_is_said(built):
    built.append("lib/triptych/legal_rag/walk.py", "# more\n")
    said = built.triptych("keys").stdout
    assert "changed: modules: lib/triptych/legal_rag/walk.py" in said
    assert "changed: inputs: legal_rag/01_first/facts.json" in said
    assert "03_third: up to date" in said


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(("PROFILE=fast",), "smoke, quick, full, paper"), (("STUDY=chemistry",), "legal_rag, bitsys, ft_dojo")],
)
def test_unknown_profile_or_study(built, arguments, words):
    done = built.make("figures", *arguments)
    assert done.returncode != 0
    assert words in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("figures", "JOBS=abc"), "JOBS=abc is not a number of jobs"),
        (("figures", "JOBS="), "is not a number of jobs"),
        (("clean", "figures"), "run clean on its own"),
    ],
)
def test_goals_and_jobs_that_make_no_sense(built, arguments, words):
    done = built.make(*arguments)
    assert done.returncode != 0
    assert words in done.stderr
    assert built.would_run() == set()  # and nothing was removed


@pytest.mark.parametrize("text", ["[1]", "{", '{"parts": null}', '{"key": 1, "parts": []}', ""])
def test_a_record_that_cannot_be_read_counts_as_none(built, text):
    built.write("build/runs/quick/legal_rag-01_first.record.json", text)
    assert built.would_run() == {"legal_rag/01_first"}


def test_a_build_folder_that_cannot_be_written_is_named(checkout):
    checkout.write("build", "a file, not a folder")
    done = checkout.make("figures")
    assert done.returncode != 0
    assert "check the path and its permissions" in done.stderr
    assert "Traceback" not in done.stderr


def test_missing_declarations_are_named(checkout):
    (checkout.root / "notebooks/stages.toml").unlink()
    done = checkout.make("figures")
    assert done.returncode != 0
    assert "git checkout notebooks/stages.toml" in done.stderr


def test_a_module_that_does_not_parse_is_named(built):
    built.append("lib/triptych/legal_rag/walk.py", "def (:\n")
    done = built.make("figures")
    assert done.returncode != 0
    assert "walk.py does not parse" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_fresh_clone_knows_its_stages_before_anything_is_installed(checkout):
    """With an interpreter that has the standard library only, and no PYTHONPATH from outside."""
    (checkout.root / ".venv").unlink()
    environment = {name: value for name, value in checkout.environment().items() if name != "PYTHONPATH"}
    environment["PATH"] = f"{Path(sys.base_prefix) / 'bin'}:{environment['PATH']}"
    done = subprocess.run(["make", "-n", "figures"], cwd=checkout.root, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    setup = next(number for number, line in enumerate(lines) if "triptych.bootstrap" in line)
    stages = [number for number, line in enumerate(lines) if "triptych run" in line]
    assert len(stages) == 3
    assert setup < min(stages)


def test_an_old_python_is_told_what_is_needed(checkout):
    checkout.write("old/python3", "#!/bin/sh\necho 'SyntaxError' >&2\nexit 1\n").chmod(0o755)
    (checkout.root / ".venv").unlink()
    done = checkout.make("figures", f"BOOT={checkout.root / 'old/python3'}")
    assert done.returncode != 0
    assert "needs Python 3.11" in done.stderr
    assert "SyntaxError" not in done.stderr


def test_help_is_the_default_and_lists_the_targets(checkout):
    said = checkout.make().stdout
    names = [
        "setup",
        "figures",
        "report",
        "lab",
        "exercises",
        "test",
        "mutate",
        "lint",
        "bench",
        "check",
        "lock",
        "clean",
    ]
    for target in [*names, "distclean"]:
        assert f"  {target}" in said


@pytest.mark.slow
def test_make_runs_the_chain_and_then_nothing(made):
    facts = json.loads((made.root / "build/results/quick/legal_rag/01_first/facts.json").read_text())
    total = json.loads((made.root / "build/results/quick/bitsys/02_second/total.json").read_text())
    assert total == {"total": 2 * facts["sum"]}
    assert made.make("-q", "figures").returncode == 0
    before = made.published()
    assert made.make("figures").returncode == 0
    assert made.published() == before
