"""What can go wrong while a stage runs: a clear message each time, and nothing published is lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import psutil
import pytest

from triptych import claims, execute
from triptych.errors import BusyError, LimitError

pytestmark = pytest.mark.slow
FIRST = "legal_rag/01_first"


@pytest.fixture
def published(made):
    """A checkout whose stages were really made; the test then breaks something, and this checks the outputs."""
    before = made.published()
    assert len(before) == 9  # svg, pdf, png, caption and numbers of one figure; four results
    yield made
    assert before.items() <= made.published().items()
    assert not list(made.root.glob("build/runs/quick/*.partial"))


def edit(checkout, old: str, new: str, path: str = f"notebooks/{FIRST}.ipynb") -> None:
    text = (checkout.root / path).read_text()
    assert old in text
    checkout.write(path, text.replace(old, new, 1))


def kernel_of(process: subprocess.Popen, cell: str) -> psutil.Process:
    """The kernel of a running stage, once the stage says that it is in `cell`."""
    for line in process.stdout:
        if cell in line:
            children = psutil.Process(process.pid).children(recursive=True)
            return next(child for child in children if "ipykernel_launcher" in " ".join(child.cmdline()))
    raise AssertionError("the stage ended early")


def gone(process: psutil.Process) -> None:
    """Wait until a process has ended; a failure when it has not after 20 seconds."""
    _, alive = psutil.wait_procs([process], timeout=20)
    assert not alive, f"{process} outlived the run"


def test_a_notebook_that_fails_in_its_fifth_cell(published):
    edit(published, "fail: bool = False", "fail: bool = True")
    done = published.make("figures")
    assert done.returncode != 0
    assert "code cell 5 (Fail when asked to)" in done.stderr
    assert "after 0 s" not in done.stderr
    assert "RuntimeError" in done.stderr
    assert "the fifth cell fails" in done.stderr
    assert "01_first.failed.ipynb" in done.stderr
    assert "Traceback (most recent call last):\n  File" not in done.stderr
    copy = json.loads((published.root / "build/runs/quick/legal_rag-01_first.failed.ipynb").read_text())
    assert any(output["output_type"] == "error" for cell in copy["cells"] for output in cell.get("outputs", []))


def test_a_killed_kernel(published):
    edit(published, "pause: float = 0.0", "pause: float = 60.0")
    process = published.start("run", FIRST)
    kernel_of(process, "Wait").kill()
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 3
    assert "code cell 4 (Wait): the kernel was killed from outside" in said
    assert "out of memory" in said


def test_ctrl_c_in_the_middle(published):
    edit(published, "pause: float = 0.0", "pause: float = 60.0")
    process = published.start("run", FIRST)
    kernel = kernel_of(process, "Wait")
    os.killpg(process.pid, signal.SIGINT)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 3
    assert "was interrupted" in said
    gone(kernel)


def test_make_interrupted_then_resumed(published):
    edit(published, "pause: float = 0.0", "pause: float = 60.0")
    process = subprocess.Popen(
        ["make", "SETUP=", "figures"], cwd=published.root, env=published.environment(), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip
    kernel = kernel_of(process, "Wait")
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode != 0
    gone(kernel)
    edit(published, "pause: float = 60.0", "pause: float = 0.0")
    assert FIRST not in published.would_run()  # what was published before the interrupted edit is still current
    assert published.make("figures").returncode == 0
    assert published.make("-q", "figures").returncode == 0


def test_kill_9_of_the_runner_then_run_again(published):
    edit(published, "pause: float = 0.0", "pause: float = 60.0")
    process = published.start("run", FIRST)
    kernel = kernel_of(process, "Wait")
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    gone(kernel)
    assert published.would_run("STUDY=legal_rag") == {FIRST}
    edit(published, "pause: float = 60.0", "pause: float = 0.0")
    assert published.triptych("run", FIRST).returncode == 0  # the lock died with its holder


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("limit_minutes = 2", "limit_minutes = 0.12", "longer than the stage's limit of 0.12 minutes"),
        ("cell_limit_minutes = 1", "cell_limit_minutes = 0.06", "longer than its limit of 0.06 minutes a cell"),
        ("limit_minutes = 2", "limit_minutes = 2\nlimit_gb = 0.05", "over the stage's limit of 0.05 GB"),
    ],
)
def test_limits_of_time_and_memory(published, old, new, words):
    edit(published, "pause: float = 0.0", "pause: float = 60.0")
    edit(published, old, new, "notebooks/stages.toml")
    done = published.triptych("run", FIRST)
    assert done.returncode == 8
    assert words in done.stderr


def test_what_a_kernel_started_ends_with_the_run(published):
    """Also what a killed kernel leaves behind, and what put itself into a session of its own."""
    edit(published, "pause: float = 0.0", "pause: float = 60.0")
    edit(
        published,
        "# Wait",
        "# Wait\\nimport subprocess\\nfor own in (False, True):\\n"
        "    subprocess.Popen(['sleep', '7277'], start_new_session=own)",
    )
    process = published.start("run", FIRST)
    kernel = kernel_of(process, "Wait")
    while len(children := kernel.children()) < 2 or any(child.name() != "sleep" for child in children):
        assert process.poll() is None
    kernel.kill()
    process.communicate(timeout=60)
    for child in children:
        gone(child)


@pytest.mark.parametrize("cell", ["# Wait", "# The run record"])
def test_leaving_a_notebook_early_is_a_failure(published, cell):
    edit(published, cell, f"{cell}\\nraise SystemExit('enough')")
    done = published.triptych("run", FIRST)
    assert done.returncode == 3
    assert "SystemExit" in done.stderr
    assert "enough" in done.stderr


def test_a_notebook_that_never_opens_its_stage(checkout):
    text = (checkout.root / "notebooks/stages.toml").read_text()
    checkout.write("notebooks/stages.toml", text.replace('results = ["alone.json"]', "results = []"))
    edit(checkout, "Stage('ft_dojo/03_third')", "None", "notebooks/ft_dojo/03_third.ipynb")
    edit(checkout, "stage.result('alone.json', {'one': one})", "one", "notebooks/ft_dojo/03_third.ipynb")
    done = checkout.triptych("run", "ft_dojo/03_third")
    assert done.returncode == 3
    assert 'add: stage = Stage("ft_dojo/03_third")' in done.stderr


def test_killed_while_publishing_counts_as_never_made(made):
    """Else a half-published mixture would pass for the outputs of the older record once the edit is taken back."""
    checkout, original = made, made.published()
    edit(checkout, "n: int = 20", "n: int = 21")
    code = (
        "import os, pathlib, sys\nfrom triptych import execute\nmoved = []\nreplace = pathlib.Path.replace\n"
        "def dying(self, target):\n"
        "    if '.partial' in str(self) and 'figures' in str(target):\n"
        "        moved.append(target)\n"
        "        if len(moved) == 3: os._exit(9)\n"
        "    return replace(self, target)\n"
        "pathlib.Path.replace = dying\nexecute.run('legal_rag/01_first', 'quick')"
    )
    assert checkout.command(sys.executable, "-c", code).returncode == 9
    assert checkout.published() != original  # some are of the new run
    edit(checkout, "n: int = 21", "n: int = 20")
    assert FIRST in checkout.would_run()
    assert checkout.make("figures", "STUDY=legal_rag").returncode == 0
    assert checkout.published() == original


def test_the_users_own_start_up_files_change_nothing(checkout):
    startup = "home/.ipython/profile_default/startup/00.py"
    checkout.write(startup, "import numpy; numpy.random.default_rng = None")
    kernel = '{"argv": ["false"], "display_name": "x", "language": "python"}'
    checkout.write("home/jupyter/kernels/python3/kernel.json", kernel)
    checkout.variables["IPYTHONDIR"] = str(checkout.root / "home/.ipython")
    checkout.variables["JUPYTER_PATH"] = str(checkout.root / "home/jupyter")
    done = checkout.triptych("run", FIRST)
    assert done.returncode == 0, done.stderr


def test_output_piped_into_head_does_not_stop_the_work(checkout):
    done = checkout.command("bash", "-c", f"{sys.executable} -m triptych run {FIRST} | head -n 1")
    assert "profile quick" in done.stdout
    assert len(checkout.published()) == 7


def test_bad_parameters_never_start_a_kernel(published):
    done = published.triptych("run", FIRST, "-p", "m=3")
    assert done.returncode == 2
    assert "has no parameter 'm'" in done.stderr
    assert "n (int)" in done.stderr
    done = published.triptych("run", FIRST, "-p", 'n="many"')
    assert done.returncode == 2
    assert "'many' is str, not int" in done.stderr
    done = published.triptych("run", FIRST, "--profile", "fast")
    assert done.returncode == 2
    assert "smoke, quick, full, paper" in done.stderr
    assert "profile" not in done.stdout


def test_an_experiment_never_replaces_what_make_published(published):
    done = published.triptych("run", FIRST, "-p", "n=5")
    assert done.returncode == 0, done.stderr
    folder = next(path for path in (published.root / "build/results").iterdir() if path.name != "quick")
    assert json.loads((folder / FIRST / "facts.json").read_text())["n"] == 5
    caption = (published.root / "build/figures" / folder.name / "fig-first.md").read_text()
    assert "not the profile's own" in caption


def test_a_missing_input_names_the_command_that_makes_it(checkout):
    done = checkout.triptych("run", "bitsys/02_second")
    assert done.returncode == 4
    assert "make figures PROFILE=quick STUDY=bitsys" in done.stderr


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("'facts.json', {'n'", "'fact.json', {'n'", "does not declare 'fact.json'"),
        ("stage.result('numbers.parquet', frame)", "pass", "declares numbers.parquet but did not make it"),
        (
            "stage.result('numbers.parquet', frame)",
            "(stage.folder / 'figures' / 'extra.png').touch()",
            "made extra.png",
        ),
        ("Stage('legal_rag/01_first')", "Stage('ft_dojo/03_third')", "is run as 'legal_rag/01_first'"),
        ("'sum': float(frame.y.sum())", "'sum': float('nan')", "not JSON compliant"),
    ],
)
def test_outputs_are_exactly_those_declared(published, old, new, words):
    edit(published, old, new)
    if "extra" in new:
        edit(published, "stage.result('facts", "stage.result('numbers.parquet', frame); stage.result('facts")
    done = published.triptych("run", FIRST)
    assert done.returncode == 3
    assert words in done.stderr


def test_two_at_once_the_second_is_told_who_holds_the_lock(published):
    edit(published, "pause: float = 0.0", "pause: float = 60.0")
    process = published.start("run", FIRST)
    kernel_of(process, "Wait")
    done = published.make("figures", "STUDY=legal_rag")
    assert done.returncode != 0
    assert f"process {process.pid}, since" in done.stderr
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=60)


def test_two_makes_at_once_the_second_runs_nothing_and_the_first_finishes(checkout):
    edit(checkout, "pause: float = 0.0", "pause: float = 10.0")
    first = subprocess.Popen(
        ["make", "SETUP=", "figures", "JOBS=1"], cwd=checkout.root, env=checkout.environment(), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip
    kernel_of(first, "Wait")
    second = checkout.make("figures", "-k", "JOBS=1")
    assert second.returncode != 0
    assert second.stderr.count(f"another make, process {first.pid}, is making figures here") == 2  # 01_first, 03_third
    assert "done in" not in second.stdout
    said, _ = first.communicate(timeout=120)
    assert first.returncode == 0, said
    assert checkout.make("-q", "figures").returncode == 0


def test_a_full_disk_while_the_notebook_runs(published):
    edit(
        published, "# Publish", "# Publish\\nimport errno, os\\nraise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))"
    )
    done = published.triptych("run", FIRST)
    assert done.returncode == 8
    assert "the disk is full" in done.stderr
    assert "make clean" in done.stderr


def test_a_full_disk_while_publishing(published, monkeypatch):
    for name, value in published.environment().items():
        if name.startswith(("TRIPTYCH_", "PYTHONPATH")):
            monkeypatch.setenv(name, value)
    edit(published, "n: int = 20", "n: int = 21")

    def no_space(self, manifest):
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(execute._Run, "_publish", no_space)
    with pytest.raises(LimitError, match="the disk is full"):
        execute.run(FIRST, "quick")


def test_a_really_full_disk(checkout, tmp_path):
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(small)], capture_output=True)
    if mounted.returncode:
        pytest.skip("this user may not mount a tmpfs; the injected ENOSPC above covers the path")
    try:
        checkout.variables["TRIPTYCH_BUILD"] = str(small)
        done = checkout.triptych("run", "ft_dojo/03_third")
        assert done.returncode == 0, done.stderr  # it is small enough
        made = (small / "results/quick/ft_dojo/03_third/alone.json").read_bytes()
        (small / "ballast").write_bytes(b"x" * (small_free(small) - 16_384))
        edit(checkout, "n: int = 20", "n: int = 20000")
        done = checkout.triptych("run", FIRST)
        assert done.returncode == 8
        assert "the disk is full" in done.stderr
        assert "Traceback" not in done.stderr
        assert (small / "results/quick/ft_dojo/03_third/alone.json").read_bytes() == made
    finally:
        subprocess.run(["umount", str(small)], check=True)


def small_free(path) -> int:
    return psutil.disk_usage(str(path)).free


def test_a_stage_resumes_inside_through_its_resume_file(checkout):
    checkout.write(
        "lib/triptych/ft_dojo/rows.py",
        "def missing(path, n):\n    done = len(path.read_text().splitlines()) if path.exists() else 0\n"
        "    return range(done, n)\n",
    )
    edit(
        checkout,
        "stage.result('alone.json', {'one': one})",
        "import os\\nfrom triptych.ft_dojo.rows import missing\\nrows = stage.resume_file('rows.jsonl')\\n"
        "for number in missing(rows, 6):\\n    with rows.open('a') as file:\\n        file.write(f'{number}\\\\n')\\n"
        "    if number == 2:\\n        os.kill(os.getpid(), 9)\\n"
        "stage.result('alone.json', {'rows': rows.read_text().split()})",
        "notebooks/ft_dojo/03_third.ipynb",
    )
    assert checkout.triptych("run", "ft_dojo/03_third").returncode == 3
    assert checkout.triptych("run", "ft_dojo/03_third").returncode == 0
    made = json.loads((checkout.root / "build/results/quick/ft_dojo/03_third/alone.json").read_text())
    assert made == {"rows": list("012345")}


def test_a_lock_is_free_again_after_its_holder(tmp_path):
    with claims.hold(tmp_path / "a.lock", "it"), pytest.raises(BusyError, match=f"process {os.getpid()}, since"):
        claims.hold(tmp_path / "a.lock", "it").__enter__()
    with claims.hold(tmp_path / "a.lock", "it"):
        assert f"process {os.getpid()}" in (tmp_path / "a.lock").read_text()


def test_progress_names_cells_and_says_what_is_left(published):
    edit(published, "scale: float = 1.0", "scale: float = 2.0")
    process = published.start("run", FIRST, "-p", "n=6", "-p", "scale=1.0")
    said, _ = process.communicate(timeout=60)
    assert "/9 Draw the walk" in said  # papermill adds a cell for the changed parameters
    assert "[legal_rag/01_first] done in" in said


def test_what_was_adopted_and_has_ended_is_taken_leave_of():
    """An orphan that is dead leaves the process table; a dead child of one's own is left to whoever started it."""
    code = """
import subprocess, sys, time
import psutil
from triptych import execute
execute._adopt_orphans()
me, own = psutil.Process(), subprocess.Popen(["true"])
between = "import os; print(os.posix_spawnp('true', ['true'], os.environ))"  # and never waits for it
orphan = psutil.Process(int(subprocess.run([sys.executable, "-c", between], stdout=subprocess.PIPE).stdout))
while any(process.status() != psutil.STATUS_ZOMBIE for process in (orphan, psutil.Process(own.pid))):
    time.sleep(0.01)
assert orphan.ppid() == me.pid
execute._bury([me, *me.children(recursive=True)], set())
assert orphan.is_running(), "nothing is known of a kernel yet"
execute._bury([me, *me.children(recursive=True)], {own.pid})
assert not orphan.is_running() and own.wait(0) == 0
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
