"""How long a script lives after it crossed its memory limit."""

from __future__ import annotations

BAR = "environment-memory-kill"
STUDY = "ft_dojo"
KIND = "short"
UNIT = "seconds from crossing the limit to the end, worst of 6"
TARGET = "<= 1"


def measure() -> float:
    """The script holds just less than its limit, prints, then takes more without end; what it prints says when."""
    import time

    from triptych.ft_dojo.environment import sandbox

    if sandbox.problem():
        raise RuntimeError(f"no sandbox here: {sandbox.problem()}")
    limit = 200_000_000
    caps = sandbox.Caps(wall=60.0, cpu=60.0, memory=limit, disk=1_000_000, output=1_000_000, processes=16)
    code = (
        "import time\n"
        "kept = [bytearray(b'x') * 120_000_000]\n"
        "time.sleep(0.3)\n"
        "print(time.monotonic(), flush=True)\n"  # the monotonic clock is the machine's, inside and outside
        "while True: kept.append(bytearray(b'x') * 20_000_000)\n"
    )
    worst = 0.0
    for _ in range(6):
        done = sandbox.run_script(code, [], caps)
        ended = time.monotonic()
        if done.killed != "memory":
            raise RuntimeError(f"it ended otherwise: {done}")
        worst = max(worst, ended - float(done.stdout.split()[0]))
    return worst
