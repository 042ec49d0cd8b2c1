"""How many cores there are to compute on."""

import os


def cores() -> int:
    """Those this process may run on, at least one."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
