"""File modes: whether other users of the machine can read or change a secret."""

from __future__ import annotations

import stat


def open_to_others(mode: int) -> bool:
    """Tell whether a mode lets others read or change a file.

    The group may read it: a service reads what root writes (`root:latchkey`, 0640).
    """
    return bool(mode & (stat.S_IRWXO | stat.S_IWGRP))
