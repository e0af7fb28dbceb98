"""The settings of the service: read once, checked as a whole, never changed.

Building them has no side effect but reading the files that they name. Only the factory
and the commands see this class; everything else is handed plain values.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from . import rules
from .addresses import host_of
from .environment import read, unknown_names
from .problems import SettingsInvalid
from .variables import Variables

if TYPE_CHECKING:
    from collections.abc import Mapping

VERSION = "0.1.0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(Variables):
    """The operator's decisions, completed and judged, and what follows from them."""

    warnings: tuple[str, ...] = field(default=())
    """Lines for the log at start: what is allowed and probably not meant."""

    def __post_init__(self) -> None:
        """Complete what depends on other fields, then judge the whole.

        Raises:
            SettingsInvalid: some rule is broken.
        """
        for name, value in rules.completions(self):
            object.__setattr__(self, name, value)
        problems = tuple(rules.problems(self))
        if problems:
            raise SettingsInvalid(problems)
        warnings = dict.fromkeys([*self.warnings, *rules.advice(self)])
        object.__setattr__(self, "warnings", tuple(warnings))

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> Settings:
        """Return the settings of an environment, the process's own unless told.

        Raises:
            SettingsInvalid: with every problem of every setting, a line each.
        """
        found, problems = read(cls, environ)
        broken = {problem.setting for problem in problems}
        unread = tuple(unknown_names(cls, environ))
        try:
            settings = cls(**found, warnings=unread)
        except SettingsInvalid as invalid:
            further = (p for p in invalid.problems if not p.follows_from(broken))
            raise SettingsInvalid([*problems, *further], unread) from None
        if problems:
            raise SettingsInvalid(problems, unread)
        return settings

    @property
    def host(self) -> str:
        """Our own host, without port."""
        return host_of(self.public_url)

    @property
    def is_loopback_development(self) -> bool:
        """Whether this is one developer's machine; no request can say so (3.31)."""
        return self.public_url.startswith("http://")

    @property
    def is_secure(self) -> bool:
        """Whether browsers reach us over https, so that cookies can be `__Host-`."""
        return not self.is_loopback_development

    @property
    def is_plain_http_allowed(self) -> bool:
        """Whether `return_to` may be http: in loopback development and in the lab."""
        return self.is_loopback_development or self.lab_network

    @property
    def cookie_prefix(self) -> str:
        """What our own cookies' names begin with (requirement 9.15)."""
        return "__Host-" if self.is_secure else ""

    @property
    def allowed_return_hosts(self) -> frozenset[str]:
        """Exact hosts that `return_to` may lead to; those below are another matter."""
        shared = () if self.cookie_domain is None else (self.cookie_domain,)
        return frozenset({self.host, *shared, *self.return_hosts})

    @property
    def client_id(self) -> str:
        """The hosted client's id (3.5); loopback development builds its own (3.26)."""
        return self.public_url + self.client_metadata_path

    @property
    def redirect_uri(self) -> str:
        """Where authorization servers send people back to."""
        return f"{self.public_url}/auth/callback"

    @property
    def user_agent(self) -> str:
        """How we introduce ourselves to other people's servers (requirement 9.7)."""
        contact = (
            "loopback development"
            if self.is_loopback_development
            else f"+{self.public_url}"
        )
        return f"Latchkey/{VERSION} ({contact})"
