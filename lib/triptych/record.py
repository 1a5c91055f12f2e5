"""Provenance: what a run was made from, on what machine, with which tools."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from triptych import paths

SHOWN_PACKAGES = ("papermill", "numpy", "pandas", "matplotlib")


def git_state() -> dict[str, Any]:
    """Commit and whether the checkout differs from it; both None outside a git checkout."""

    def git(*arguments: str) -> str | None:
        try:
            done = subprocess.run(["git", *arguments], cwd=paths.root(), capture_output=True, text=True, check=False)
        except OSError:
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    status = git("status", "--porcelain")
    return {"commit": git("rev-parse", "HEAD"), "dirty": None if status is None else bool(status)}


def machine() -> dict[str, Any]:
    """Cores this process may use, memory in gigabytes (10**9 bytes), processor, system, accelerator."""
    pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    return {
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gb": round(pages * size / 1e9, 1),
        "processor": platform.machine(),
        "system": f"{platform.system()} {platform.release().split('-')[0]}",
        "accelerator": accelerator(),
    }


def accelerator() -> str | None:
    """Name of the first NVIDIA device the driver reports, without importing a framework; None when there is none."""
    found = sorted(Path("/proc/driver/nvidia/gpus").glob("*/information"))
    if not found:
        return None
    models = [line.partition(":")[2].strip() for line in found[0].read_text().splitlines() if line.startswith("Model")]
    return models[0] if models else "NVIDIA device"


def versions(packages: tuple[str, ...] = SHOWN_PACKAGES) -> dict[str, str]:
    """Python and the named packages."""
    return {"python": sys.version.split()[0], **{name: metadata.version(name) for name in packages}}
