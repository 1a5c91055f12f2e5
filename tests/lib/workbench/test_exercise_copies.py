"""Exercises: what makes one, what the reader's copy holds, and that nobody's work is overwritten."""

from __future__ import annotations

import nbformat
import pytest

from triptych import exercises
from triptych.errors import StageError

STUB = "# Exercise 1\ndef double(x: int) -> int:\n    raise NotImplementedError('exercise 1')"
SOLVED = "# Solution 1\ndef double(x: int) -> int:\n    return 2 * x"
CHECK = "# Check 1\nassert double(3) == 6"
GOOD = [("exercise", STUB), ("solution", SOLVED), ("check", CHECK)]


def notebook(cells: list[tuple[str | None, str]]) -> nbformat.NotebookNode:
    made = [
        nbformat.v4.new_code_cell(source, id=f"exercise-{k}", metadata={"tags": [kind]} if kind else {})
        for k, (kind, source) in enumerate(cells)
    ]
    return nbformat.v4.new_notebook(cells=made)


def test_an_exercise_is_found_with_its_three_cells():
    (found,) = exercises.find(notebook([(None, "# Before"), *GOOD, (None, "# After")]), "x")
    assert found == exercises.Exercise(("double",), STUB, SOLVED, CHECK)


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        (GOOD[:2], "not three consecutive cells"),
        ([GOOD[1], GOOD[0], GOOD[2]], "not three consecutive cells"),
        ([*GOOD[:2], (None, "# Between"), GOOD[2]], "not three consecutive cells"),
        ([("exercise", SOLVED), *GOOD[1:]], "must end in raise NotImplementedError"),
        ([("exercise", "# Nothing to write"), *GOOD[1:]], "must end in raise NotImplementedError"),
        ([GOOD[0], ("solution", SOLVED.replace("double", "twice")), GOOD[2]], "must define double with the same"),
        ([GOOD[0], ("solution", SOLVED.replace("x: int", "y: int")), GOOD[2]], "must define double with the same"),
    ],
)
def test_a_malformed_exercise_is_refused_with_its_number(cells, words):
    with pytest.raises(StageError, match=f"x, exercise 2: .*{words}"):
        exercises.find(notebook([*GOOD, *cells]), "x")


def test_the_copy_lacks_the_solutions_and_nothing_else():
    source = notebook([(None, "# Before"), *GOOD])
    made = exercises.student(source)
    assert [cell.source for cell in made.cells] == ["# Before", STUB, CHECK]
    assert len(source.cells) == 4, "the source is left as it is"


def run(document: nbformat.NotebookNode) -> None:
    exec("\n".join(cell.source for cell in document.cells), {})


def test_the_source_runs_and_the_copy_stops_at_its_check():
    source = notebook([*GOOD])
    run(source)
    with pytest.raises(NotImplementedError, match="exercise 1"):
        run(exercises.student(source))


@pytest.fixture
def here(checkout, monkeypatch):
    monkeypatch.setenv("TRIPTYCH_ROOT", str(checkout.root))
    path = checkout.root / "notebooks/ft_dojo/03_third.ipynb"
    document = nbformat.read(path, as_version=4)
    document.cells += notebook([*GOOD]).cells
    nbformat.write(document, path)
    return checkout


def test_the_command_writes_copies_and_never_over_what_is_there(here):
    copy = here.root / "build/exercises/ft_dojo/03_third.ipynb"
    assert here.triptych("exercises").stdout == f"{copy}: written\n"
    assert "return 2 * x" not in copy.read_text()
    worked = copy.read_text().replace("raise NotImplementedError('exercise 1')", "return x + x")
    copy.write_text(worked)
    assert "kept, with what you wrote" in here.triptych("exercises").stdout
    notebook_file = here.root / "notebooks/ft_dojo/03_third.ipynb"
    notebook_file.write_text(notebook_file.read_text().replace("double(3) == 6", "double(4) == 8"))
    said = here.triptych("exercises", "--study", "ft_dojo").stdout
    assert "the notebook has changed since: --again" in said
    assert copy.read_text() == worked
    assert "written" in here.triptych("exercises", "--again").stdout
    assert "double(4) == 8" in copy.read_text()
    assert copy.with_suffix(".old.ipynb").read_text() == worked


def test_a_study_without_exercises_is_an_answer_in_words(here):
    done = here.triptych("exercises", "--study", "bitsys")
    assert done.returncode == 4
    assert "no notebook of bitsys has exercises" in done.stderr
    with pytest.raises(StageError, match="those that do: ft_dojo/03_third"):
        from triptych import stages

        exercises.write(stages.get("bitsys/02_second"))
