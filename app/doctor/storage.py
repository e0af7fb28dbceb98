"""Checks of what we keep: database, schema, keys, disk, permissions, timers."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from app.flows.counted import counted
from app.flows.errors import FlowError, SchemaMismatch, StorageFailed
from app.flows.ports import Ring, StoredKey

from .deployment import Deployment
from .file_modes import open_to_others
from .findings import Finding, Skipped

DAY: Final = 86_400.0

OLD_KEY: Final = 400 * DAY
"""Seconds; a key that signed for more than a year should be rotated."""

LATE_SWEEP: Final = 3_600.0
"""Seconds; the timer runs every five minutes."""

LATE_BACKUP: Final = 2 * DAY
"""Seconds; the timer runs every day."""

NETWORK_FILE_SYSTEMS: Final = frozenset({"nfs", "nfs4", "cifs", "smb3", "9p", "ceph"})
VOLATILE_FILE_SYSTEMS: Final = frozenset({"tmpfs", "ramfs"})


def database(deployment: Deployment) -> Iterator[Finding]:
    """Write a row, and look for damage."""
    refusal = _failure(deployment.database.check_write)
    try:
        damage = deployment.database.quick_check()
    except StorageFailed as error:
        damage = None if refusal else str(error)
    if damage:
        yield Finding(
            f"the database cannot be read whole: {damage}",
            "Rows are lost, and the damage may grow.",
            "Stop the service and `restore` the last backup; look at the disk.",
        )
    elif refusal:
        yield Finding(
            f"the database takes no write: {refusal}",
            "No person can sign in or out; verification goes on for a minute.",
            "Free space, mount the volume writable, or start the database server.",
        )


def _failure(check: Callable[[], None]) -> str | None:
    try:
        check()
    except StorageFailed as error:
        return str(error)
    return None


def durability(deployment: Deployment) -> Iterator[Finding]:
    """Look whether a power cut would lose what was committed."""
    for trouble in deployment.database.durability():
        yield Finding(
            trouble,
            "A power cut brings ended sessions and used codes back, or loses accounts.",
            "Correct that setting of the database.",
        )
    path = deployment.files.database
    if path is None:
        return
    kind = deployment.files.kind_of(path)
    if kind in NETWORK_FILE_SYSTEMS:
        yield Finding(
            f"{path} is on a network file system ({kind})",
            "SQLite's locks do not hold there: the database gets damaged.",
            "Move it to a local disk, or use PostgreSQL (`db copy`).",
        )
    elif kind in VOLATILE_FILE_SYSTEMS:
        yield Finding(
            f"{path} is in memory ({kind})",
            "A restart of the machine loses every account.",
            "Mount a disk there, or correct DATABASE_URL.",
        )


def schema(deployment: Deployment) -> Iterator[Finding]:
    """Compare the version of the schema with this release's."""
    try:
        deployment.require_schema()
    except SchemaMismatch as error:
        yield Finding(
            str(error),
            "The service does not start on tables that it does not know.",
            "Run the command that the line names; make a backup before.",
        )


def keys(deployment: Deployment) -> Iterator[Finding]:
    """Open every key of both rings, and look at the age of those that sign."""
    for ring in deployment.rings:
        try:
            stored = deployment.keys.list(ring)
        except FlowError as error:
            deployment.require_schema()  # or else the keys are not at fault
            yield Finding(
                f"the keys of the ring {ring} do not open: {error}",
                "No token is signed, and no authorization server knows us.",
                "Set SECRET_KEY to the key under which they were sealed, or add that "
                "key to SECRET_KEY_FALLBACKS.",
            )
            continue
        yield from _signing(deployment, ring, stored)


def _signing(
    deployment: Deployment, ring: Ring, stored: Sequence[StoredKey]
) -> Iterator[Finding]:
    active = [key for key in stored if key.status == "active"]
    own, *_ = deployment.rings[ring]
    for alg in deployment.rings[ring]:
        if not any(key.alg == alg for key in active):
            yield Finding(
                f"the ring {ring} has no {alg} key that signs",
                "No person can sign in" + ("." if alg == own else " to an app."),
                "Run `flask --app wsgi init`.",
            )
    for key in active:
        age = deployment.clock() - (key.activated_at or key.created_at)
        if age > OLD_KEY:
            yield Finding(
                f"the {ring} key {key.kid} has signed for {age / DAY:.0f} days",
                "The longer a key is used, the more a copy of it is worth.",
                f"Run `keys rotate {ring}`, or set KEY_ROTATION.",
            )


def secrets(deployment: Deployment) -> Iterator[Finding]:
    """Look for rows that none of the secret keys opens."""
    lost = deployment.sealed_under_lost_keys()
    if lost:
        rows = counted(lost, "row is", "rows are")
        yield Finding(
            f"{rows} encrypted under a key that no setting holds",
            "Those sessions, logins or keys are lost until the key is back.",
            "Add the former SECRET_KEY to SECRET_KEY_FALLBACKS (`secrets status` says "
            "which), then run `secrets reseal`.",
        )


def disk(deployment: Deployment) -> Iterator[Finding]:
    """Look for free space where we write."""
    for directory in deployment.files.directories:
        try:
            deployment.files.require_space(directory)
        except StorageFailed as error:
            yield Finding(
                str(error),
                "A full disk stops sign-ins, sign-outs and uploads.",
                "Delete what is not needed, or enlarge the disk.",
            )


def permissions(deployment: Deployment) -> Iterator[Finding]:
    """Look who else can read or change secrets and the database."""
    for path in deployment.files.private:
        mode = _mode(path)
        if mode is not None and open_to_others(mode):
            yield Finding(
                f"{path} has the mode {mode:04o}",
                "Other users of this machine can read or change it.",
                f"chmod o-rwx,g-w {path}; if others use the machine, take what is in "
                "it for known.",
            )
    if deployment.files.database is not None:
        yield from _database_permissions(deployment.files.database)


def _database_permissions(path: Path) -> Iterator[Finding]:
    directory = path.parent
    for needed in (directory, path):
        if needed.exists() and not os.access(needed, os.R_OK | os.W_OK):
            yield Finding(
                f"this account cannot write to {needed}",
                "The service takes no sign-in, and often cannot even read.",
                "Mount the volume writable, or correct owner and mode. Run doctor as "
                "the account of the service.",
            )
    if (_mode(directory) or 0) & stat.S_IWOTH:
        yield Finding(
            f"every user of this machine can write to {directory}",
            "They can replace the database.",
            f"chmod o-w {directory}",
        )


def _mode(path: Path) -> int | None:
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except OSError:
        return None  # a missing file is reported by what needs it


def sweep(deployment: Deployment) -> Iterator[Finding]:
    """Look when the last sweep ended."""
    if deployment.is_loopback:
        raise Skipped("loopback development has no timer")
    late = _late(deployment, "sweep", LATE_SWEEP)
    if late:
        yield Finding(
            f"the last sweep ended {late}",
            "Expired rows stay, and grants of ended sessions are not revoked.",
            "Start the timer: `systemctl enable --now latchkey-sweep.timer`; read the "
            "log of latchkey-sweep.",
        )


def backup(deployment: Deployment) -> Iterator[Finding]:
    """Look when the last backup was made."""
    if deployment.is_loopback:
        raise Skipped("loopback development has no timer")
    late = _late(deployment, "backup", LATE_BACKUP)
    if late:
        yield Finding(
            f"the last backup was made {late}",
            "A lost disk loses every account since then.",
            "Start the timer of `backup`, or run it from one of your own.",
        )


def _late(deployment: Deployment, name: str, limit: float) -> str | None:
    """Return when the last run was, in words, if that is too long ago."""
    now = deployment.clock()
    last = deployment.runs.last(name)
    if last is not None:
        return f"{_hours(now - last)} ago" if now - last > limit else None
    made = [
        key.created_at
        for ring in deployment.rings
        for key in _keys_of(deployment, ring)
    ]
    is_new = not made or now - min(made) < limit
    return None if is_new else "never"


def _keys_of(deployment: Deployment, ring: Ring) -> list[StoredKey]:
    try:
        return list(deployment.keys.list(ring))
    except FlowError:
        return []  # `keys` reports it


def _hours(seconds: float) -> str:
    if seconds < 2 * DAY:
        return f"{seconds / 3600:.0f} hours"
    return f"{seconds / DAY:.0f} days"
