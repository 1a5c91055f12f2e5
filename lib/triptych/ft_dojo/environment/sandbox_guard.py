"""Inside the sandbox, in the script's own process: witness what it tries, and end it at calls no data script makes.

Two things are set up before the script's first line and cannot be taken back by it. A filter of the kernel (seccomp)
kills the process at system calls that change the clock, look into other processes or build namespaces, and refuses to
start other programs. An audit hook of the interpreter (PEP 578) writes one word to a pipe when the script reaches for
what is not its own: `NOTES` lists the words. The hook is a witness and no wall: what it sees would have failed anyway,
and code that leaves the interpreter (native code, which it also notes) can leave its sight.

Standard library only; no other file of the project is in the sandbox.
"""

from __future__ import annotations

import ctypes
import os
import platform
import re
import signal
import struct
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

NOTES = {
    "outside_read": "opens a path outside that is named like something hidden",
    "outside_write": "opens a file of the system for writing",
    "process_read": "opens another process's folder in /proc",
    "link_out": "makes a link that leads outside",
    "network": "connects to an address, or resolves one",
    "kill_others": "signals what runs it",
    "many_processes": "starts as many processes as it may",  # told as `process_limit`
    "native_code": "loads a library to call it directly",
    "audit_tampering": "looks for the audit hook among the interpreter's objects",
}
SUSPICIOUS = re.compile(
    r"hidden|gold|answers|solution|secret|select|\btest\b|\bval\b|canary|passw|shadow|\.ssh|\.env|\bid_|key|token|cred"
    r"|submission|journal|scorer|model\.safetensors|^/(root|home)\b",
    re.IGNORECASE,
)
SYSTEM = ("/usr", "/lib", "/lib64", "/etc", "/sys", "/dev", "/proc", "/run", "/var")  # of the sandbox itself

# --- system calls -----------------------------------------------------------------------------------------------------

# Numbers on x86_64 and aarch64; None where a machine has no such call.
KILLED: Mapping[str, tuple[int | None, int | None]] = {
    "clock_settime": (227, 112), "settimeofday": (164, 170), "adjtimex": (159, 171), "clock_adjtime": (305, 266),
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "pidfd_getfd": (438, 438),
    "unshare": (272, 97), "setns": (308, 268), "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41),
    "chroot": (161, 51), "fsopen": (430, 430), "fsmount": (432, 432), "move_mount": (429, 429),
    "open_tree": (428, 428), "mount_setattr": (442, 442), "open_by_handle_at": (304, 265), "bpf": (321, 280),
    "perf_event_open": (298, 241), "userfaultfd": (323, 282), "io_uring_setup": (425, 425), "keyctl": (250, 219),
    "add_key": (248, 217), "request_key": (249, 218), "init_module": (175, 105), "finit_module": (313, 273),
    "delete_module": (176, 106), "kexec_load": (246, 104), "kexec_file_load": (320, 294), "reboot": (169, 142),
    "swapon": (167, 224), "swapoff": (168, 225), "syslog": (103, 116), "acct": (163, 89),
}  # fmt: skip
REFUSED: Mapping[str, tuple[int | None, int | None]] = {"execve": (59, 221), "execveat": (322, 281)}
ARCHITECTURES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}  # place in the pairs, AUDIT_ARCH
X32 = 0x40000000  # numbers from here on are another convention of x86_64
KILL, REFUSE, ALLOW = 0x80000000, 0x00050001, 0x7FFF0000  # SECCOMP_RET_KILL_PROCESS, _ERRNO | EPERM, _ALLOW
LOAD, EQUAL, AT_LEAST, RETURN = 0x20, 0x15, 0x35, 0x06  # BPF_LD|W|ABS, BPF_JMP|JEQ|K, BPF_JMP|JGE|K, BPF_RET|K
NO_NEW_PRIVILEGES, SET_SECCOMP, FILTER = 38, 22, 2  # prctl


def program(machine: str) -> bytes:
    """The filter as classic BPF, eight bytes an instruction; empty for a machine whose numbers are not listed."""
    if machine not in ARCHITECTURES:
        return b""
    place, architecture = ARCHITECTURES[machine]
    lines = [(LOAD, 0, 0, 4), (EQUAL, 1, 0, architecture), (RETURN, 0, 0, KILL), (LOAD, 0, 0, 0)]
    lines += [(AT_LEAST, 0, 1, X32), (RETURN, 0, 0, KILL)]
    for calls, verdict in ((KILLED, KILL), (REFUSED, REFUSE)):
        for numbers in calls.values():
            if (number := numbers[place]) is not None:
                lines += [(EQUAL, 0, 1, number), (RETURN, 0, 0, verdict)]
    lines.append((RETURN, 0, 0, ALLOW))
    return b"".join(struct.pack("=HBBI", *line) for line in lines)


def filter_calls() -> bool:
    """Put the filter on this process and all it starts; False where that is not possible."""
    code = program(platform.machine())
    if not code:
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    buffer = ctypes.create_string_buffer(code, len(code))
    header = struct.pack("=HxxxxxxQ", len(code) // 8, ctypes.addressof(buffer))
    if libc.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0):
        return False
    return libc.prctl(SET_SECCOMP, FILTER, ctypes.create_string_buffer(header, len(header)), 0, 0) == 0


# --- audit events -----------------------------------------------------------------------------------------------------


def witness(pipe: int, home: str, roots: Sequence[str], processes: int | None) -> None:
    """Write the words of `NOTES` to `pipe`, each once a process, as this process and its children give cause.

    `roots` are folders that may be read; `processes` is how many the sandbox may hold. The hook stays until the end.
    """
    told: set[str] = set()
    runner = os.getppid()
    readable = (home, *roots, *SYSTEM)
    busy = False

    def tell(word: str) -> None:
        if word in told:
            return
        told.add(word)
        try:
            os.write(pipe, f"{word}\n".encode())
        except OSError:  # who closes the pipe does so to be unseen
            os.kill(os.getpid(), signal.SIGSYS)

    def look(event: str, arguments: Sequence[Any]) -> None:
        nonlocal busy
        judge = _JUDGES.get(event)
        if judge is None or busy:
            return
        busy = True
        try:
            word = judge(arguments, home, readable, runner, processes)
        except Exception:  # what is odd is for the call itself to refuse
            word = None
        finally:
            busy = False
        if word:
            tell(word)

    sys.addaudithook(look)


Judge = Callable[[Sequence[Any], str, Sequence[str], int, "int | None"], "str | None"]


def _path(value: Any, home: str) -> str | None:
    if value is None or isinstance(value, int):
        return None
    text = os.fsdecode(value)
    return os.path.normpath(text if text.startswith("/") else f"{os.getcwd()}/{text}")  # noqa: PTH109  (called often)


def _below(path: str, folders: Sequence[str]) -> bool:
    return any(path == folder or path.startswith(f"{folder}/") for folder in folders)


def _opened(arguments: Sequence[Any], home: str, readable: Sequence[str], runner: int, _: int | None) -> str | None:
    path = _path(arguments[0], home)
    if path is None:
        return None
    mode, flags = (arguments[1], arguments[2]) if len(arguments) > 2 else ("r", 0)
    writes = bool(isinstance(mode, str) and set(mode) & set("wax+")) or bool(int(flags or 0) & 3)
    if path.startswith("/proc/"):
        whose = path.split("/")[2]
        other = whose.isdigit() and int(whose) != os.getpid()
        if other or re.match(r"/proc/(self|thread-self|\d+)/(root|cwd)\b", path):
            return "process_read"
    if _below(path, (home, "/dev")) and not re.search(r"\b(hidden|gold|canary)\b", path):
        return None
    if writes and (_below(path, SYSTEM) or _below(path, [root for root in readable if root != home])):
        return "outside_write"
    secret = path in ("/etc/shadow", "/etc/passwd") or not _below(path, SYSTEM)
    if secret and not _below(path, [root for root in readable if root not in (home, *SYSTEM)]):
        return "outside_read" if SUSPICIOUS.search(path) else None
    return None


def _linked(arguments: Sequence[Any], home: str, *_: Any) -> str | None:
    source = _path(arguments[0], home)
    return "link_out" if source is not None and not _below(source, [home]) else None


def _signalled(arguments: Sequence[Any], home: str, readable: Sequence[str], runner: int, _: int | None) -> str | None:
    return "kill_others" if int(arguments[0]) in (-1, 1, runner) else None


def _connected(*_: Any) -> str | None:
    return "network"


def _forked(arguments: Sequence[Any], home: str, readable: Sequence[str], runner: int, most: int | None) -> str | None:
    living = sum(name.isdigit() for name in os.listdir("/proc"))  # noqa: PTH208
    return "many_processes" if most is not None and living + 1 >= most else None


def _loaded(*_: Any) -> str | None:
    """Native code, when the script itself and no package asks for it."""
    frame = sys._getframe(2)  # pyright: ignore[reportPrivateUsage]
    while frame and "/ctypes/" in frame.f_code.co_filename:
        frame = frame.f_back
    return "native_code" if frame and frame.f_code.co_filename in ("script.py", "<string>") else None


def _searched(*_: Any) -> str | None:
    frame = sys._getframe(2)  # pyright: ignore[reportPrivateUsage]
    return "audit_tampering" if frame.f_code.co_filename in ("script.py", "<string>") else None


_JUDGES: Mapping[str, Judge] = {
    "open": _opened,
    "os.listdir": _opened,
    "os.scandir": _opened,
    "os.symlink": _linked,
    "os.link": _linked,
    "os.kill": _signalled,
    "os.killpg": _signalled,
    **dict.fromkeys(
        ("socket.connect", "socket.sendto", "socket.sendmsg", "socket.getaddrinfo", "socket.gethostbyname"), _connected
    ),
    "os.fork": _forked,
    "os.forkpty": _forked,
    "ctypes.dlopen": _loaded,
    "gc.get_objects": _searched,
    "gc.get_referrers": _searched,
}
