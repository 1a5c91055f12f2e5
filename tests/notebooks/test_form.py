"""The form that every notebook of the project keeps, so that a reader who knows one knows them all."""

from __future__ import annotations

import ast

import nbformat
import pytest

from triptych import data, exercises, paths, stages


@pytest.mark.parametrize("name", stages.load())
def test_declaration_and_notebook_agree(name):
    spec = stages.get(name)
    assert spec.read_files() or not spec.reads
    assert set(spec.data) <= set(data.sources())
    for profile in stages.PROFILES:
        stages.resolve(spec, profile)
    code = "\n".join(stages.code_cells(spec))
    for output in (*spec.figures, *spec.results, *spec.inputs, *spec.recorded):
        assert f'"{output}"' in code, f"{output} is declared and never used"
    assert f'Stage("{name}")' in code


@pytest.mark.parametrize("name", stages.load())
def test_notebook_reads_like_the_others(name):
    document = nbformat.read(stages.get(name).notebook, as_version=4)
    nbformat.validate(document)
    first, *_, last = document.cells
    assert first.cell_type == "markdown"
    assert first.source.startswith("# ")
    assert first.source.splitlines()[0].endswith("?"), "the title is a question"
    assert len([cell for cell in document.cells if not exercises.tag(cell)]) <= 30, "exercises come on top"
    exercises.find(document, name)
    assert "stage.record()" in "\n".join(cell.source for cell in document.cells[-3:])
    assert last.source
    for cell in document.cells:
        if cell.cell_type != "code":
            continue
        assert not cell.outputs, "outputs are stripped before committing"
        assert cell.execution_count is None
        tree = ast.parse(cell.source)
        if "parameters" not in cell.metadata.get("tags", []):
            assert cell.source.startswith("# "), f"a code cell says what it does: {cell.source[:60]!r}"
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                assert length <= 12, f"{node.name} belongs in the library"


def test_every_notebook_is_declared():
    found = {
        path.relative_to(paths.notebooks()).with_suffix("").as_posix() for path in paths.notebooks().glob("*/*.ipynb")
    }
    assert found == set(stages.load())


@pytest.mark.parametrize("name", stages.load())
def test_the_readme_tells_of_it(name):
    spec = stages.get(name)
    rows = [line for line in (paths.root() / "README.md").read_text("utf-8").splitlines() if f"[{name}](" in line]
    assert len(rows) == 1
    for words in (f"(notebooks/{name}.ipynb)", spec.question, *(f"`{figure}`" for figure in spec.figures)):
        assert words in rows[0]
    assert rows[0].rstrip(" |").endswith(f"| {spec.minutes:g}")
