"""The HTML report: every figure with its caption, numbers, record, executed notebook and sources. Opens offline."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import jinja2
import markupsafe
import nbformat
import pandas as pd

from triptych import execute, keys, paths, stages
from triptych.stages import Spec

LONG_TABLE = 200  # rows shown of a figure's numbers; the CSV file beside it has them all


def write(profile: str, study: str | None = None) -> Path:
    """Write build/report/ for one profile and return the path of index.html.

    Stages that were never made are listed with the command that makes them; outputs that are not those of their record
    are marked.
    """
    folder = paths.report()
    scratch = folder.with_name(f".{folder.name}.{os.getpid()}")
    shutil.rmtree(scratch, ignore_errors=True)
    chosen = stages.select(study)
    records = {spec.name: keys.read_record(spec, profile) for spec in chosen}
    page = _template().render(
        profile=profile,
        stages=[_stage(spec, record, profile, scratch) for spec in chosen if (record := records[spec.name])],
        absent=[spec for spec in chosen if not records[spec.name]],
    )
    scratch.mkdir(parents=True, exist_ok=True)
    (scratch / "index.html").write_text(page + "\n", "utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    scratch.replace(folder)
    return folder / "index.html"


def _template() -> jinja2.Template:
    loader = jinja2.FileSystemLoader(Path(__file__).parent)
    return jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined).get_template(
        "report.html"
    )


def _stage(spec: Spec, record: dict[str, Any], profile: str, scratch: Path) -> dict[str, Any]:
    notebook = scratch / "notebooks" / f"{spec.slug}.html"
    notebook.parent.mkdir(parents=True, exist_ok=True)
    notebook.write_text(notebook_html(_with_present_prose(spec, record, profile)), "utf-8")
    return {
        "name": spec.name,
        "slug": spec.slug,
        "question": spec.question,
        "record": record,
        "warnings": _warnings(spec, record, profile),
        "figures": [_figure(name, profile, scratch) for name in spec.figures],
        "fragments": [_fragment(spec, name, profile) for name in spec.results if name.endswith(".html")],
        "facts": _facts(record),
        "sources": _sources(spec, record),
    }


def _warnings(spec: Spec, record: dict[str, Any], profile: str) -> list[str]:
    altered = [
        path.name
        for path in keys.published(spec, profile)[:-1]
        if path.exists() and keys.file_digest(path) != record["outputs"].get(path.name)
    ]
    stale = keys.why_stale(spec, profile)
    return [
        *([f"Changed by hand since it was made: {', '.join(altered)}."] if altered else []),
        *([f"Not up to date: {stale}."] if stale else []),
    ]


def _figure(name: str, profile: str, scratch: Path) -> dict[str, Any]:
    source, target = paths.figures(profile), scratch / "figures"
    target.mkdir(parents=True, exist_ok=True)
    for suffix in ("svg", "pdf", "png", "csv"):
        shutil.copyfile(source / f"{name}.{suffix}", target / f"{name}.{suffix}")
    paragraphs = (source / f"{name}.md").read_text("utf-8").strip().split("\n\n")
    marks = [line.strip("*") for line in paragraphs if line.startswith("*") and line.endswith("*")]
    numbers = pd.read_csv(source / f"{name}.csv") if (source / f"{name}.csv").stat().st_size > 1 else pd.DataFrame()
    shown = numbers.head(LONG_TABLE).to_html(
        index=False, na_rep="", border=0, float_format=lambda value: f"{value:.6g}"
    )
    return {
        "name": name,
        "alt": paragraphs[0][:200],
        "caption": [line for line in paragraphs if line.strip("*") not in marks],
        "marks": marks,
        "rows": len(numbers),
        "table": markupsafe.Markup(shown),  # pandas escapes the cells
    }


def _fragment(spec: Spec, name: str, profile: str) -> dict[str, Any]:
    """A result that is HTML, shown as it stands: whoever writes one escapes what is not the stage's own."""
    text = (paths.results(profile) / spec.name / name).read_text("utf-8")
    return {"name": name, "html": markupsafe.Markup(text)}


def _facts(record: dict[str, Any]) -> list[tuple[str, str]]:
    git, machine = record["git"], record["machine"]
    commit = (
        f"{git['commit'][:12]}{' and uncommitted changes' if git['dirty'] else ''}"
        if git["commit"]
        else "no git checkout"
    )
    return [
        ("parameters", json.dumps(record["parameters"], ensure_ascii=False)),
        ("seeds", json.dumps(record["seeds"]) if record["seeds"] else "none"),
        (
            "data",
            ", ".join(f"{name} (pins {value[:12]})" for name, value in record["data"].items()) or "generated here",
        ),
        ("commit", commit),
        ("lock file", record["parts"]["lock"][:12]),
        ("tools", ", ".join(f"{name} {value}" for name, value in {**record["versions"], **record["tools"]}.items())),
        (
            "machine",
            f"{machine['cores']} cores {machine['processor']}, {machine['memory_gb']} GB, {machine['system']}, "
            f"accelerator: {machine['accelerator'] or 'none'}",
        ),
        (
            "time and memory",
            f"{record['wall_seconds']:.1f} s wall, {record['cpu_seconds']:.1f} s CPU, "
            f"peak {record['peak_memory_gb']:.2f} GB",
        ),
        (
            "language-model calls",
            "; ".join(f"{m['model']}: {m['live']} live, {m['replayed']} replayed" for m in record["models"]) or "none",
        ),
        ("notes", "; ".join(f"{note['kind']}: {note['text']}" for note in record["notes"]) or "none"),
        ("key", record["key"]),
    ]


def _sources(spec: Spec, record: dict[str, Any]) -> list[dict[str, Any]]:
    listed = {**record["parts"]["modules"], **record["parts"]["files"]}
    notebook = spec.notebook.relative_to(paths.root()).as_posix()
    found: list[dict[str, Any]] = [
        {"path": notebook, "digest": keys.digest(record["parts"]["cells"]), "changed": False}
    ]
    for path, digest in listed.items():
        now = paths.root() / path
        found.append({"path": path, "digest": digest, "changed": not now.exists() or keys.file_digest(now) != digest})
    return [{**row, "link": os.path.relpath(paths.root() / row["path"], paths.report())} for row in found]


def _with_present_prose(spec: Spec, record: dict[str, Any], profile: str) -> nbformat.NotebookNode:
    """The executed notebook; its text cells as they stand now when its code is what was run: prose reruns nothing."""
    executed = nbformat.read(paths.runs(profile) / f"{spec.slug}.ipynb", as_version=4)
    present = nbformat.read(spec.notebook, as_version=4)
    if [keys.text_digest(cell) for cell in stages.code_cells(spec)] != record["parts"]["cells"]:
        return executed
    ran = [cell for cell in executed.cells if cell.cell_type == "code"]
    cells: list[nbformat.NotebookNode] = []
    for cell in present.cells:
        cells.append(ran.pop(0) if cell.cell_type == "code" else cell)
        while ran and "injected-parameters" in ran[0].metadata.get("tags", []):
            cells.append(ran.pop(0))
    executed.cells = cells
    return executed


def notebook_html(notebook: nbformat.NotebookNode) -> str:
    """An executed notebook as one HTML page that asks the network for nothing."""
    execute.leave_out_slow_grammar()
    from nbconvert import HTMLExporter

    exporter = HTMLExporter(template_name="lab", embed_images=True)
    for name in ("mathjax_url", "require_js_url", "jquery_url", "mermaid_js_url", "widget_renderer_url"):
        if exporter.has_trait(name):
            setattr(exporter, name, "")
    body, _ = exporter.from_notebook_node(notebook)
    return _without_remote_scripts(body)


def _without_remote_scripts(page: str) -> str:
    """Drop the script elements that would fetch code (mathematics and diagrams; our notebooks use plain text)."""
    from bs4 import BeautifulSoup

    soup = BeautifulSoup(page, "html.parser")
    for script in soup.find_all("script"):
        if script.get("src") is not None or "https://" in script.get_text() or "import(" in script.get_text():
            script.decompose()
    return str(soup)
