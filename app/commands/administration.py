"""What the operator's commands work with, and how they report an error."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import click

from app.doctor.examination import Doctor
from app.flows.errors import FlowError
from app.flows.keys import KeyUseCases
from app.flows.people import PeopleUseCases
from app.flows.provider import ProviderUseCases
from app.flows.storage import StorageWork
from app.flows.storage.secrets import ResealSecrets
from app.flows.storage.upgrade import Schema
from app.flows.sweep import Sweep

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class Administration:
    """The use cases, stores and plain values behind the commands."""

    schema: Schema
    needed_schema: str
    """The release whose schema this program needs."""
    storage: StorageWork
    keys: KeyUseCases
    reseal_secrets: ResealSecrets
    sweep: Sweep
    people: PeopleUseCases
    provider: ProviderUseCases
    signing_key_path: Path | None
    client_jwk_path: Path | None
    doctor: Doctor
    settings_summary: Sequence[str]


def in_one_line(act: Callable[[], Result]) -> Result:
    """Call `act`; report an error that an operator can correct in one line.

    Raises:
        ClickException: a FlowError or an OSError; click prints it and exits with 1.
        BrokenPipeError: as it is, for click to end quietly; `| head` has read enough.
    """
    try:
        return act()
    except BrokenPipeError:
        raise
    except (FlowError, OSError) as error:
        raise click.ClickException(str(error)) from error
