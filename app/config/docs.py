"""Writes `.env.example` and `docs/configuration.md`: `python -m app.config.docs`.

Both are made from the declarations of the settings; a test fails when a file differs.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from textwrap import fill

from .variables import Declaration, declarations

ROOT = Path(__file__).resolve().parents[2]
WIDTH = 88

_EXAMPLE_HEAD = """\
# Settings of Latchkey. `make run` reads a copy of this file named .env, and so does
# the systemd unit. Every line that is commented out shows the default or an example.
# docs/configuration.md says more. Made by `make docs-config`; change app/config.
"""

_REFERENCE_HEAD = """\
# Configuration

<!-- Made by `make docs-config` from app/config/variables.py; change it there. -->

Latchkey is configured by environment variables that begin with `LATCHKEY_`. They are
read once, at the start. Every value is checked: a wrong or missing one stops the start
with one line for each problem, which says which variable and why.
`flask --app wsgi config check` does only that.

- An empty variable counts as unset. A variable with our prefix that nothing reads is
  reported in the log, with the nearest name.
- Durations carry a unit: `90s`, `15m`, `24h`, `30d`, `4w`.
- Lists are separated by commas; the word `none` is the empty list.
- Switches are `on` or `off`.
- A variable marked *secret* may be put in a file: `LATCHKEY_SECRET_KEY_FILE` names a
  file that holds the value of `LATCHKEY_SECRET_KEY`. Setting both is refused.
- Relative paths start at the working directory, which is the repository's root for
  `make run`.

With nothing set at all, Latchkey serves **loopback development**: http://127.0.0.1:8000,
no domain, no TLS, no key, and any real account can sign in.
"""


def env_example() -> str:
    """Return the text of `.env.example`."""
    lines = [_EXAMPLE_HEAD]
    for name, declaration in declarations():
        if declaration.section:
            lines.append(f"\n# --- {declaration.section} ---\n")
        lines += [_as_comment(text) for text in _explanations(declaration)]
        shown = declaration.example or declaration.default or ""
        lines.append(f"#{name}={_quoted(shown)}\n")
    return "\n".join(lines)


def configuration_page() -> str:
    """Return the text of `docs/configuration.md`."""
    lines = [_REFERENCE_HEAD]
    for name, declaration in declarations():
        if declaration.section:
            lines += [f"\n## {declaration.section}\n"]
            lines += ["| variable | default | meaning |", "| --- | --- | --- |"]
        marks = " *(secret)*" if declaration.secret else ""
        lines.append(
            f"| `{name}`{marks} | {_default_cell(declaration)} | {_cell(declaration)} |"
        )
    return "\n".join(lines) + "\n"


def _explanations(declaration: Declaration) -> Iterator[str]:
    yield declaration.meaning
    if declaration.unset:
        yield f"Unset: {declaration.unset}."
    elif declaration.example and declaration.default:
        yield f"Default: {declaration.default}"
    if declaration.secret:
        yield "A secret: the same name with _FILE takes it from a file."


def _as_comment(text: str) -> str:
    return fill(text, WIDTH, initial_indent="# ", subsequent_indent="# ")


def _quoted(value: str) -> str:
    return f'"{value}"' if " " in value else value


def _default_cell(declaration: Declaration) -> str:
    if declaration.unset:
        return f"unset: {declaration.unset}"
    return f"`{declaration.default}`" if declaration.default else "unset"


def _cell(declaration: Declaration) -> str:
    example = f" Example: `{declaration.example}`" if declaration.example else ""
    return (declaration.meaning + example).replace("|", "\\|")


def main() -> None:
    """Write both files and print their names."""
    pages = {
        ".env.example": env_example(),
        "docs/configuration.md": configuration_page(),
    }
    for name, text in pages.items():
        (ROOT / name).write_text(text, encoding="utf-8")
        print(name)


if __name__ == "__main__":
    main()
