"""One byte changed in each file of the checkout in turn: `make -n` must name exactly the stages that depend on it.

The expected stages are found another way than the workbench does: by really importing, in a fresh interpreter, what
each notebook's cells import, and looking which files of the library were loaded or are imported inside functions.
Files that no stage may depend on (prose, tests, tooling) must rerun none.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import scratch

BAR = "workbench-exact-reruns"
STUDY = "workbench"
KIND = "short"
UNIT = "files with a wrong answer"
TARGET = "== 0"


def loaded_modules(root: Path, notebook: Path) -> set[str]:
    """Library files that the interpreter itself loads for a notebook's import lines, late imports included."""
    cells = [cell for cell in json.loads(notebook.read_text("utf-8"))["cells"] if cell["cell_type"] == "code"]
    wanted = {line.strip() for cell in cells for line in "".join(cell["source"]).splitlines()}
    statements = {line for line in wanted if re.match(r"(from|import) triptych", line)}
    known: set[str] = set()
    while statements:
        code = (
            "import sys\nfor line in sys.stdin.read().splitlines(): exec(line)\n"
            "ours = [x for n, x in sys.modules.items() if n.split('.')[0] == 'triptych']\n"
            "print(*[x.__file__ for x in ours if x.__file__], sep='\\n')"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], input="\n".join(sorted(statements)), capture_output=True, text=True,
            env={**os.environ, "PYTHONPATH": str(root / "lib")},
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(done.stderr)
        fresh = set(done.stdout.split()) - known
        known |= fresh
        statements = {
            match.strip()
            for path in fresh
            for match in re.findall(r"^[ \t]+((?:from|import) triptych[^\n(]*)$", Path(path).read_text("utf-8"), re.M)
        }
    return {str(Path(path).relative_to(root)) for path in known}


def measure() -> float:
    """Number of files for which the answer was wrong."""
    wrong = 0
    with scratch.copy(environment=True) as root:
        import tomllib

        declared = tomllib.loads((root / "notebooks/stages.toml").read_text("utf-8"))
        depends: dict[str, set[str]] = {}
        for name, row in declared.items():
            files = loaded_modules(root, root / f"notebooks/{name}.ipynb")
            files |= {str(p.relative_to(root)) for pattern in row.get("reads", []) for p in root.glob(pattern)}
            depends[name] = files
        scratch.mark_fresh(root)
        if scratch.would_run(root):
            raise RuntimeError("something is stale before any change")
        candidates = [
            *sorted(root.glob("lib/**/*.py")), *sorted(root.glob("lib/**/*.sv")), *sorted(root.glob("rtl/**/*.sv")),
            *sorted(root.glob("notebooks/**/*.jsonl")), root / "README.md", root / "Makefile", root / "CHANGELOG.md",
        ]  # fmt: skip
        for path in candidates:
            name = str(path.relative_to(root))
            before = path.read_bytes()
            comment = (
                b"\n"
                if path.suffix in (".jsonl", ".md") or path.name == "Makefile"
                else (b"\n//\n" if path.suffix == ".sv" else b"\n#\n")
            )
            path.write_bytes(before + comment)
            expected = {stage for stage, files in depends.items() if name in files}
            grown = True
            while grown:
                more = {
                    stage for stage, row in declared.items()
                    if any(reference.rpartition("/")[0] in expected for reference in row.get("inputs", []))
                }  # fmt: skip
                grown, expected = not more <= expected, expected | more
            answer = scratch.would_run(root)
            if answer != expected:
                wrong += 1
                print(f"{name}: make says {sorted(answer)}, expected {sorted(expected)}", file=sys.stderr)
            path.write_bytes(before)
    return wrong
