"""A miniature checkout in which stages run in seconds: the real workbench, three small notebooks."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parents[1]

STAGES = """
["legal_rag/01_first"]
question = "Does the first stage work?"
minutes = 0.1
reads = ["rtl/bitsys/one.sv"]
data = ["eu-law"]
figures = ["fig-first"]
results = ["numbers.parquet", "facts.json"]
limit_minutes = 2
cell_limit_minutes = 1
[ "legal_rag/01_first".profiles ]
smoke = { n = 3 }
quick = {}
full = { n = 50 }
paper = {}

["bitsys/02_second"]
question = "Does a stage find what another one made?"
minutes = 0.1
inputs = ["legal_rag/01_first/facts.json"]
figures = []
results = ["total.json"]
["bitsys/02_second".profiles]
smoke = {}
quick = {}
full = {}
paper = {}

["ft_dojo/03_third"]
question = "Is a stage that depends on nothing left alone?"
minutes = 0.1
figures = []
results = ["alone.json"]
["ft_dojo/03_third".profiles]
smoke = {}
quick = {}
full = {}
paper = {}
"""

FIRST = [
    ("markdown", "# Does the first stage work?"),
    (
        "parameters",
        "n: int = 20  # points drawn\nseed: int = 7  # of the random walk\nlabel: str = 'walk'  # of the line\n"
        "scale: float = 1.0  # step\nfail: bool = False  # raise in the fifth cell\npause: float = 0.0  # seconds",
    ),
    ("code", "# Open the stage\nfrom triptych.notebook import Stage\nstage = Stage('legal_rag/01_first')"),
    (
        "code",
        "# Walk\nimport numpy as np\nimport pandas as pd\nfrom triptych.legal_rag.walk import walk\n"
        "frame = pd.DataFrame({'x': range(n), 'y': walk(n, seed, scale)})",
    ),
    ("code", "# Wait\nimport time\ntime.sleep(pause)"),
    ("code", "# Fail when asked to\nif fail:\n    raise RuntimeError('the fifth cell fails')"),
    (
        "code",
        "# Draw the walk\nimport matplotlib.pyplot as plt\nfigure, axes = plt.subplots()\n"
        "axes.plot(frame.x, frame.y, label=label)\naxes.set(xlabel='step', ylabel='place')\naxes.legend()\n"
        "stage.figure(figure, 'fig-first', caption='A walk.', table=frame)",
    ),
    (
        "code",
        "# Publish\nstage.result('numbers.parquet', frame)\n"
        "stage.result('facts.json', {'n': n, 'sum': float(frame.y.sum())})",
    ),
    ("code", "# The run record\nstage.record()"),
]
SECOND = [
    ("parameters", "factor: float = 2.0  # multiplies the sum"),
    ("code", "# Open the stage\nfrom triptych.notebook import Stage\nstage = Stage('bitsys/02_second')"),
    (
        "code",
        "# Read and publish\nfacts = stage.input('legal_rag/01_first/facts.json')\n"
        "stage.result('total.json', {'total': factor * facts['sum']})",
    ),
]
THIRD = [
    ("parameters", "one: int = 1  # a number"),
    (
        "code",
        "# Everything\nfrom triptych.notebook import Stage\nstage = Stage('ft_dojo/03_third')\n"
        "stage.result('alone.json', {'one': one})",
    ),
]
WALK = (
    "import numpy as np\n\n\ndef walk(n, seed, scale):\n"
    "    return scale * np.random.default_rng(seed).standard_normal(n).cumsum()\n"
)


def notebook(cells: list[tuple[str, str]]) -> str:
    """A notebook as text, from (kind, source) pairs."""
    made = []
    for number, (kind, source) in enumerate(cells):
        cell = nbformat.v4.new_markdown_cell(source) if kind == "markdown" else nbformat.v4.new_code_cell(source)
        cell["id"] = f"cell-{number}"
        if kind == "parameters":
            cell.metadata["tags"] = ["parameters"]
        made.append(cell)
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return nbformat.writes(nbformat.v4.new_notebook(cells=made, metadata={"kernelspec": kernel}))


def outside_make() -> dict[str, str]:
    """Our environment without what a `make` around us put there (it exports the variables of its command line)."""
    given = ("STUDY", "PROFILE", "JOBS", "BAR", "BENCH", "PYTEST", "PYTHONPATH", "SETUP")
    return {
        name: value
        for name, value in os.environ.items()
        if name not in given and not name.startswith(("TRIPTYCH_", "MAKE", "MFLAGS"))
    }


@dataclass
class Checkout:
    """A small project with the real workbench and three stages that run in a moment."""

    root: Path
    variables: dict[str, str] = field(default_factory=dict)

    def write(self, path: str, text: str) -> Path:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
        return file

    def append(self, path: str, text: str) -> None:
        file = self.root / path
        file.write_text(file.read_text("utf-8") + text, "utf-8")

    def environment(self) -> dict[str, str]:
        library = {"PYTHONPATH": str(self.root / "lib"), "TRIPTYCH_ROOT": str(self.root)}
        return {**outside_make(), **library, **self.variables}

    def command(self, *arguments: str, timeout: float = 180) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            arguments, cwd=self.root, env=self.environment(), capture_output=True, text=True, timeout=timeout
        )

    def triptych(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.command(sys.executable, "-m", "triptych", *arguments)

    def make(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """make, without its set-up (the environment is that of the tests)."""
        return self.command("make", "SETUP=", *arguments)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "triptych", *arguments],
            cwd=self.root,
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def published(self, profile: str = "quick") -> dict[str, bytes]:
        """Every published figure and result, by name."""
        folders = [self.root / "build" / kind / profile for kind in ("figures", "results")]
        return {
            str(path.relative_to(folder)): path.read_bytes()
            for folder in folders
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }

    def would_run(self, *arguments: str) -> set[str]:
        """The stages that `make -n figures` says it would run."""
        done = self.make("-n", "figures", *arguments)
        assert done.returncode == 0, done.stderr
        return {
            line.split("triptych run ")[1].split()[0] for line in done.stdout.splitlines() if "triptych run" in line
        }


def new_checkout(root: Path) -> Checkout:
    """Write a miniature checkout: the real library, Makefile and lock, three stages, our own environment linked in."""
    made = Checkout(root)
    made.root.mkdir()
    (made.root / ".venv").symlink_to(Path(sys.prefix))
    library = made.root / "lib" / "triptych"
    shutil.copytree(
        ROOT / "lib" / "triptych",
        library,
        ignore=lambda folder, names: [
            name for name in names if name == "__pycache__" or name in ("legal_rag", "bitsys", "ft_dojo")
        ],
    )
    for study in ("legal_rag", "bitsys", "ft_dojo"):
        made.write(f"lib/triptych/{study}/__init__.py", "")
    made.write("lib/triptych/legal_rag/walk.py", WALK)
    for name in ("Makefile", "requirements.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, made.root / name)
    made.write("notebooks/stages.toml", STAGES)
    made.write("notebooks/legal_rag/01_first.ipynb", notebook(FIRST))
    made.write("notebooks/bitsys/02_second.ipynb", notebook(SECOND))
    made.write("notebooks/ft_dojo/03_third.ipynb", notebook(THIRD))
    made.write("rtl/bitsys/one.sv", "module one; endmodule\n")
    return made
