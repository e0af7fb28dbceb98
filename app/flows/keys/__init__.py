"""Signing keys: the life of a key, what changes the rings, and the rings in memory.

`KeyUseCases` is what the operator's commands and the sweep get.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.atproto.crypto.keys import Algorithm
from app.flows.ports import Ring

from .drop import DropKey
from .listing import ListKeys
from .prepare import PrepareKeys
from .rotate import RotateKeys
from .upkeep import KeyUpkeep


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyUseCases:
    """What can be done with the signing keys."""

    algorithms: Mapping[Ring, Sequence[Algorithm]]
    """The rings that this deployment signs with, and with which algorithms: the first
    is the ring's own, and id_tokens are signed with RS256. The public client of
    loopback development has no ring."""
    list: ListKeys
    prepare: PrepareKeys
    rotate: RotateKeys
    drop: DropKey
    upkeep: KeyUpkeep
