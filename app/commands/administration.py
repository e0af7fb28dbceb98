"""What the operator's commands work with, and how they report an error."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

import click

from app.doctor.examination import Doctor
from app.flows.errors import FlowError, StorageUnavailable
from app.flows.keys import KeyUseCases
from app.flows.people import PeopleUseCases
from app.flows.provider import ProviderUseCases
from app.flows.storage import StorageWork
from app.flows.storage.secrets import ResealSecrets
from app.flows.storage.upgrade import Schema
from app.flows.sweep import Sweep

Result = TypeVar("Result")

ROLLED_BACK: Final = (
    "The transaction that failed was rolled back, nothing of it was kept: correct this "
    "and run the command again"
)
LOST: Final = (
    "The connection broke in the transaction: look whether it was done before you run "
    "the command again"
)
"""What became of a transaction. A command may have committed others before it."""


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
    except StorageUnavailable as error:
        raise click.ClickException(_with_aftermath(error)) from error
    except (FlowError, OSError) as error:
        raise click.ClickException(str(error)) from error


def _with_aftermath(error: StorageUnavailable) -> str:
    """Return what failed, what became of the transaction, and what to do next."""
    if error.rolled_back is None:
        return str(error)
    return f"{error}. {ROLLED_BACK if error.rolled_back else LOST}"
