"""The face of an operator: what LATCHKEY_LOGO and its like are in PROD-LIKE."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.search import URL as SEARCH_URL
from tests.lab.network import SIBLING

LOGO = Path(__file__).resolve().parents[2] / "app/static/favicon.svg"
TERMS, PRIVACY = f"https://{SIBLING}/terms", f"https://{SIBLING}/privacy"
FACE = {
    "LATCHKEY_LOGO": str(LOGO),
    "LATCHKEY_TERMS_URL": TERMS,
    "LATCHKEY_PRIVACY_URL": PRIVACY,
    "LATCHKEY_TYPEAHEAD_URL": SEARCH_URL,
}
