"""All stages about agents in `quick`, one after another, from an empty build and cache."""

from __future__ import annotations

BAR = "ft-agent-quick"
STUDY = "ft_dojo"
KIND = "long"
UNIT = "min of wall time, every stage of ft_dojo from 04 on"
TARGET = "<= 8"
READS = ("notebooks/ft_dojo/*.ipynb", "notebooks/ft_dojo/recorded/*/*", "lib/triptych/ft_dojo/tiny_base/*")
EARLIER = ("00_walkthrough", "01_finetune", "02_tasks", "03_isolation")


def measure() -> float:
    """Verified downloads are kept; nothing computed is."""
    import os
    import subprocess
    import sys
    import tempfile
    import time
    from pathlib import Path

    from triptych import paths, stages

    wanted = [name for name, spec in stages.load().items() if spec.study == "ft_dojo" and not name.endswith(EARLIER)]
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as scratch:
        cache = Path(scratch) / "cache"
        cache.mkdir()
        (cache / "data").symlink_to(paths.cache() / "data")
        environment = {**os.environ, "TRIPTYCH_BUILD": scratch, "TRIPTYCH_CACHE": str(cache)}
        for name in wanted:
            command = [sys.executable, "-m", "triptych", "run", name, "--profile", "quick"]
            begun = time.perf_counter()
            subprocess.run(command, env=environment, cwd=paths.root(), check=True, stdout=subprocess.DEVNULL)
            print(f"{name}: {time.perf_counter() - begun:.0f} s", file=sys.stderr)
    return (time.perf_counter() - started) / 60
