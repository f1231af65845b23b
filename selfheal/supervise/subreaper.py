"""Whose child is a process that has lost its parent? Ours, if we say so beforehand."""

from __future__ import annotations

import ctypes

_PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h


def become_subreaper() -> None:
    """From now on whatever descends from us and loses its parent becomes our child, not that of process 1.

    It holds over an exec, and is not inherited by children.
    """
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
