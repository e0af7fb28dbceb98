"""How a field of `Settings` is declared: its parser, its default and its meaning.

The declaration is the only place that knows a setting. The reader of the environment,
`.env.example` and the reference table are all derived from it.
"""

from __future__ import annotations

from dataclasses import Field, dataclass, field, fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """What is known of one setting besides its Python type."""

    parse: Callable[[str], object]
    default: str | None
    meaning: str
    unset: str
    example: str
    secret: bool
    section: str


def setting(
    parse: Callable[[str], object],
    default: str | None,
    meaning: str,
    *,
    unset: str = "",
    example: str = "",
    secret: bool = False,
    section: str = "",
) -> Any:
    """Declare a field; the default is written as an operator would write it.

    `unset` says what no value means when there is no default text; `section` opens a
    new section of the reference; secrets stay out of `repr`.
    """
    declaration = Declaration(
        parse=parse,
        default=default,
        meaning=meaning,
        unset=unset,
        example=example,
        secret=secret,
        section=section,
    )
    return field(
        default=None if default is None else parse(default),
        repr=not secret,
        metadata={"declaration": declaration},
    )


def declarations(settings: type) -> Iterator[tuple[Field[Any], Declaration]]:
    """Yield the fields of a settings class that come from the environment."""
    for declared in fields(settings):
        declaration = declared.metadata.get("declaration")
        if isinstance(declaration, Declaration):
            yield declared, declaration
