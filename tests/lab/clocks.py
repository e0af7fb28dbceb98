"""Clocks of the laboratory's programs, set ahead or back while they run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

WALL = """
import time
from pathlib import Path

def moved(read, ahead=Path({ahead!r})):
    return lambda: read() + float(ahead.read_text())

time.time = moved(time.time)
"""
"""Python imports it at its start, before anything reads the clock."""

BOTH = WALL + "time.monotonic = moved(time.monotonic)\n"
"""For programs that measure how old a document is."""

NODE = """
import {{ readFileSync }} from "node:fs";
const RealDate = Date;
const now = () => RealDate.now() + 1000 * Number(readFileSync("{ahead}", "utf8"));
globalThis.Date = class extends RealDate {{
  constructor(...given) {{ super(...(given.length ? given : [now()])); }}
  static now() {{ return now(); }}
}};
"""


@dataclass(frozen=True)
class Clock:
    """A clock that programs read: as this machine's, some seconds ahead or behind."""

    folder: Path

    @classmethod
    def made(cls, folder: Path, *, both: bool = False) -> Clock:
        """Return a clock that is right; `both` moves the monotonic clock, too."""
        folder.mkdir()
        clock, ahead = cls(folder), str(folder / "ahead")
        text = BOTH if both else WALL
        (folder / "sitecustomize.py").write_text(text.format(ahead=ahead))
        (folder / "clock.mjs").write_text(NODE.format(ahead=ahead))
        clock.set(0)
        return clock

    def set(self, ahead: float) -> None:
        """Set it so many seconds ahead of this machine's, at once for all programs."""
        written = self.folder / "written"
        written.write_text(str(ahead))
        written.replace(self.folder / "ahead")

    @property
    def node_option(self) -> str:
        """What NODE_OPTIONS has to say."""
        return f"--import={self.folder / 'clock.mjs'}"
