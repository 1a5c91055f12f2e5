"""Started by `sandbox` as root only: bind what the sandbox shows, become a user of its own, then run bubblewrap.

Root inside a user namespace is still the host's root to files it can reach: /proc/sys would be writable and limits on
processes would not count. So root never starts bubblewrap itself. Standard library only.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys

NEW_MOUNTS = 0x20000  # CLONE_NEWNS
BIND, RECURSIVE, PRIVATE = 0x1000, 0x4000, 0x40000  # MS_BIND, MS_REC, MS_PRIVATE


def main() -> None:
    """`argv[1]` is JSON: pairs of (source, mount point), a uid, a command whose first word is an absolute path."""
    binds, uid, command = json.loads(sys.argv[1])
    libc = ctypes.CDLL(None, use_errno=True)

    def mount(source: str, target: str, flags: int) -> None:
        if libc.mount(source.encode(), target.encode(), None, flags, None):
            raise OSError(ctypes.get_errno(), f"mount {source}")

    if libc.unshare(NEW_MOUNTS):
        raise OSError(ctypes.get_errno(), "unshare")
    mount("none", "/", RECURSIVE | PRIVATE)  # what is mounted here is seen by nobody else and ends with this process
    for source, target in binds:
        mount(source, target, BIND | RECURSIVE)
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    os.execv(command[0], command)


if __name__ == "__main__":
    main()
