"""The report: complete, truthful about what is stale or altered, and silent on the network."""

from __future__ import annotations

import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow


class Links(HTMLParser):
    """Every address that a page refers to."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.followed: list[str] = []
        self.feed(page.read_text("utf-8"))

    def handle_starttag(self, tag, attrs):
        for name, value in attrs:
            if name == "src" or (name == "href" and tag == "link"):
                self.loaded.append(value)
            elif name == "href":
                self.followed.append(value)


def test_the_report_is_whole_and_asks_the_network_for_nothing(made):
    folder = made.root / "build/report"
    page = (folder / "index.html").read_text("utf-8")
    for words in (
        "Does the first stage work?",
        "fig-first",
        "A walk.",
        "the run record",
        "lib/triptych/legal_rag/walk.py",
    ):
        assert words in page
    for html in folder.rglob("*.html"):
        links = Links(html)
        for address in links.loaded:
            assert address.startswith("data:") or (html.parent / address).exists(), f"{html.name} loads {address}"
        for address in links.followed:
            if not address.startswith(("#", "https:")):
                assert (html.parent / address.split("#")[0]).exists(), f"{html.name} links to {address}"
        assert not re.search(r"@import|url\(\s*['\"]?https?:", html.read_text("utf-8"))

    # prose may change without a rerun, and the report shows it as it stands
    notebook = made.root / "notebooks/legal_rag/01_first.ipynb"
    notebook.write_text(notebook.read_text().replace("# Does the first", "# Does, by the way, the first"))
    assert made.make("-q", "figures").returncode == 0
    assert made.make("report").returncode == 0
    shown = (folder / "notebooks/legal_rag-01_first.html").read_text("utf-8")
    assert "Does, by the way, the first" in shown
    assert "data:image/png" in shown

    # one byte of an output, one of a source: the report says so
    made.append("build/figures/quick/fig-first.csv", "\n")
    made.append("lib/triptych/legal_rag/walk.py", "# changed\n")
    assert made.triptych("report").returncode == 0
    page = (folder / "index.html").read_text("utf-8")
    assert "Changed by hand since it was made: fig-first.csv" in page
    assert "Not up to date: changed: modules: lib/triptych/legal_rag/walk.py" in page
    assert "changed since" in page

    # what was never made is listed with its command
    assert made.triptych("report", "--profile", "full").returncode == 0
    assert "make figures PROFILE=full STUDY=legal_rag" in (folder / "index.html").read_text("utf-8")


def test_a_browser_draws_it(made, tmp_path):
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not browser:
        pytest.skip("no Chromium on this machine; the test above reads the pages without one")
    picture = tmp_path / "report.png"
    subprocess.run(
        [browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run",
         "--disable-component-update", "--disable-sync", f"--user-data-dir={tmp_path / 'profile'}",
         f"--screenshot={picture}", (made.root / "build/report/index.html").as_uri()],
        check=True, capture_output=True, timeout=120,
    )  # fmt: skip
    import matplotlib.image

    pixels = matplotlib.image.imread(picture)[..., :3]
    blue = (abs(pixels - [0, 0x72 / 255, 0xB2 / 255]) < 0.05).all(axis=-1)
    assert blue.sum() > 200  # the line of the figure and the links, in the house's first colour
