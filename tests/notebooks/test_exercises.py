"""The exercises of every notebook: unsolved, each check stops; answered with nothing, each check objects.

That the solutions pass is tested with the notebooks themselves (test_smoke.py): they hold the solutions.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

import nbformat
import pytest

from triptych import exercises, paths, stages

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

# Runs code cells one after the other, as a kernel would, and says how each check ended.
RUNNER = """
import json, sys
from IPython.core.interactiveshell import InteractiveShell
shell, ends = InteractiveShell.instance(), []
cells = json.load(sys.stdin)
sys.stdout = open(sys.argv[1], "w")
for kind, source in cells:
    done = shell.run_cell(source)
    if kind == "check":
        ends.append(type(done.error_in_exec).__name__)
    elif not done.success:
        sys.exit(f"{source}: {done.error_in_exec or done.error_before_exec}")
json.dump(ends, sys.stderr)
"""


def check_ends(spec: stages.Spec, tmp_path, change) -> list[str]:
    """How each check of the reader's copy ends, with `change` applied to the exercise cells."""
    copy = exercises.student(nbformat.read(spec.notebook, as_version=4))
    values = "\n".join(f"{name} = {value!r}" for name, value in stages.resolve(spec, "smoke").items())
    cells = []
    for cell in (cell for cell in copy.cells if cell.cell_type == "code"):
        kind = exercises.tag(cell)
        given = "parameters" in cell.metadata.get("tags", [])
        cells.append((kind, values if given else change(cell.source) if kind == "exercise" else cell.source))
    environment = {
        **os.environ,
        "TRIPTYCH_BUILD": str(tmp_path),
        "TRIPTYCH_CACHE": str(paths.cache()),
        "TRIPTYCH_PROFILE": "smoke",
        "IPYTHONDIR": str(tmp_path / "ipython"),
        "MPLBACKEND": "agg",
    }
    done = subprocess.run(
        [sys.executable, "-c", RUNNER, str(tmp_path / "said")],
        input=json.dumps(cells), cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=500,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stderr.splitlines()[-1])


@pytest.mark.parametrize("name", [spec.name for spec in exercises.having()])
def test_checks_stop_at_unsolved_exercises_and_object_to_no_answer(name, tmp_path):
    spec = stages.get(name)
    count = len(exercises.find(nbformat.read(spec.notebook, as_version=4), name))
    assert count >= 4
    assert check_ends(spec, tmp_path, lambda source: source) == ["NotImplementedError"] * count
    ends = check_ends(spec, tmp_path, lambda source: re.sub(r"raise NotImplementedError.*", "return None", source))
    assert len(ends) == count
    assert set(ends) <= {"AssertionError", "TypeError"}, "no check is content with None"
