"""Which modules a notebook depends on, found from the syntax tree; checked against what Python really imports."""

from __future__ import annotations

import subprocess
import sys

import pytest

from triptych import keys, paths, stages
from triptych.errors import StageError


@pytest.fixture
def here(checkout, monkeypatch):
    monkeypatch.setenv("TRIPTYCH_ROOT", str(checkout.root))
    return checkout


def names(found) -> set[str]:
    return {path.relative_to(paths.root() / "lib" / "triptych").as_posix() for path in found}


def test_every_form_of_import_is_followed(here):
    library = "lib/triptych/legal_rag/"
    here.write(library + "a.py", "from . import b\nfrom .c import thing\n")
    here.write(library + "b.py", "def late():\n    import triptych.legal_rag.d as d\n    return d\n")
    here.write(library + "c.py", "from triptych.legal_rag import e\nthing = e\n")
    here.write(library + "d.py", "from ..errors import DataError\n")
    for free in "ef":
        here.write(library + f"{free}.py", "")
    found = names(keys.modules(["%matplotlib inline\nfrom triptych.legal_rag.a import b"]))
    expected = {f"legal_rag/{name}.py" for name in ("a", "b", "c", "d", "e", "__init__")}
    assert found == expected | {"__init__.py", "errors.py"}  # and not f


def test_the_modules_found_cover_what_python_imports(here):
    loaded = "[m.__file__ for n, m in sys.modules.items() if n.startswith('triptych')]"
    code = f"import sys, triptych.notebook\nprint(*{loaded})"
    done = here.command(sys.executable, "-c", code)
    assert "notebook.py" in done.stdout, done.stderr
    assert set(done.stdout.split()) <= {str(path) for path in keys.modules(["from triptych.notebook import Stage"])}


def test_the_key_does_not_depend_on_order_or_place(here, tmp_path):
    spec = stages.get("legal_rag/01_first")
    first = keys.key(spec, "quick")
    code = "import sys\nfrom triptych import keys, stages\nprint(keys.key(stages.get('legal_rag/01_first'), 'quick'))"
    seen = {
        subprocess.run(
            [sys.executable, "-c", code], cwd="/", text=True, capture_output=True,
            env={**here.environment(), "PYTHONHASHSEED": seed},
        ).stdout.strip()
        for seed in ("1", "2")
    }  # fmt: skip
    assert seen == {first}


def test_lines_that_only_ipython_reads_do_not_hide_imports(here):
    for cell in (
        "%time from triptych.legal_rag.walk import walk",
        "%%time\nfrom triptych.legal_rag import walk",
        "files = !ls\nimport triptych.legal_rag.walk as w; w?",
        "if True:\n    %timeit pass\nfrom triptych.legal_rag.walk import walk  # late",
    ):
        assert "legal_rag/walk.py" in names(keys.modules([cell])), cell
    assert keys.modules(["%%bash\necho hi there"]) == []


def test_changed_parts_are_named():
    old = {"modules": {"a": "1", "b": "2"}, "lock": "x", "cells": ["p"]}
    new = {"modules": {"a": "1", "c": "2"}, "lock": "y", "cells": ["p"]}
    assert keys.changed(old, new) == ["modules: b", "modules: c", "lock"]


def test_reads_that_match_nothing_and_data_that_nobody_pinned(here):
    text = (here.root / "notebooks/stages.toml").read_text()
    here.write("notebooks/stages.toml", text.replace("one.sv", "none*.sv"))
    with pytest.raises(StageError, match="matches no file"):
        keys.key(stages.get("legal_rag/01_first"), "quick")
    here.write("notebooks/stages.toml", text.replace('"eu-law"', '"us-law"'))
    with pytest.raises(StageError, match="is not in"):
        keys.key(stages.get("legal_rag/01_first"), "quick")


def test_a_recorded_result_ages_with_what_computes_it_only(here):
    spec = stages.get("legal_rag/01_first")
    before = keys.recorded_key(spec)
    for harmless in ("figures", "tables", "execute"):
        here.append(f"lib/triptych/{harmless}.py", "\n# drawing and running do not compute\n")
    here.append("requirements.lock", "# another line\n")
    assert keys.recorded_key(spec) == before
    here.append("lib/triptych/legal_rag/walk.py", "\n# this does\n")
    assert keys.recorded_key(spec) != before
