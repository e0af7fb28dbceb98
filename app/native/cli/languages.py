"""The command line's texts in the language of the terminal (LANGUAGE, LC_ALL, LANG).

Catalogues are .mo files inside the package, because a wheel has no build step and the
standard library reads nothing else; each lies beside the .po that it is compiled from.
A text without a translation stays English.
"""

from __future__ import annotations

from gettext import GNUTranslations, translation
from pathlib import Path

DOMAIN = "latchkey-native"
CATALOGUES = Path(__file__).parents[1] / "languages"

_texts = translation(DOMAIN, CATALOGUES, fallback=True)

gettext = _texts.gettext
IS_TRANSLATED = isinstance(_texts, GNUTranslations)
"""Whether the terminal's language is one of the catalogues, and so not English."""
