"""Directory of the counts: one for all processes of a host, private, and bounded.

Each process counts in files of its own there (prometheus_client's multi-process mode).
The files of processes that have ended are merged into one, because each sweep is a
process, and a counter must not forget what it counted.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry, values
from prometheus_client.mmap_dict import MmapedDict, mmap_key
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from app.atproto.crypto.encoding import sha256_hex

VARIABLE: Final = "PROMETHEUS_MULTIPROC_DIR"
"""prometheus_client's own; set, it names the directory, best one in memory."""

ENDED: Final = "ended"
"""In place of the process id in the file that holds the counts of ended processes."""

_FILE: Final = re.compile(r"(counter|histogram|gauge_livesum)_(\d+)\.db")


def directory_of(database_url: str) -> Path:
    """Return the directory that all processes of this database share on this host."""
    if given := os.environ.get(VARIABLE):
        return Path(given)
    name = f"latchkey-metrics-{os.getuid()}-{sha256_hex(database_url)[:16]}"
    return Path(tempfile.gettempdir(), name)


def count_in(directory: Path) -> None:
    """Let this process, and those that it forks, count in files of the directory.

    Raises:
        PermissionError: the directory is another user's.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = directory.lstat()
    if status.st_uid != os.getuid() or status.st_mode & 0o022:
        raise PermissionError(f"{directory} is not ours alone")
    os.environ[VARIABLE] = str(directory)
    values.ValueClass = values.MultiProcessValue()


def registry_of(directory: Path) -> CollectorRegistry:
    """Return a registry with the counts of all processes."""
    registry = CollectorRegistry()
    MultiProcessCollector(registry, str(directory))
    return registry


def clean(directory: Path) -> None:
    """Begin anew: delete the counts of all processes that have ended."""
    for file, _, _ in _ended(directory):
        file.unlink(missing_ok=True)
    for file in directory.glob(f"*_{ENDED}.db"):
        file.unlink(missing_ok=True)


def mark_dead(directory: Path, pid: int) -> None:
    """Forget the places and connections that an ended process had in use."""
    mark_process_dead(pid, str(directory))


def merge(directory: Path) -> None:
    """Merge the files of ended processes; the places that they held are free."""
    ended: dict[str, list[Path]] = defaultdict(list)
    for file, kind, pid in _ended(directory):
        mark_process_dead(pid, str(directory))
        if file.exists():
            ended[kind].append(file)
    for kind, files in ended.items():
        _merge(directory / f"{kind}_{ENDED}.db", files)


def _merge(target: Path, files: list[Path]) -> None:
    """Write the sum of the files and of what was merged before, then delete them."""
    known = [target] if target.exists() else []
    fresh = target.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    merged = MmapedDict(str(fresh))
    names = [str(path) for path in (*known, *files)]
    for metric in MultiProcessCollector.merge(names, accumulate=False):
        for sample in metric.samples:
            labels = sample.labels
            key = mmap_key(
                metric.name,
                sample.name,
                list(labels),
                list(labels.values()),
                metric.documentation,
            )
            merged.write_value(key, sample.value, 0.0)
    merged.close()
    fresh.rename(target)
    for file in files:
        file.unlink(missing_ok=True)


def _ended(directory: Path) -> Iterator[tuple[Path, str, int]]:
    """Yield the files of ended processes, with kind and process id."""
    for file in sorted(directory.glob("*.db")):
        match = _FILE.fullmatch(file.name)
        if match is not None and not _lives(int(match[2])):
            yield file, match[1], int(match[2])


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # another user's process has the number now
    return True
