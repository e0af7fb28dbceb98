"""Discovery documents: RFC 8414 and OpenID Connect Discovery, with the same members.

They name what is routed, and nothing else.
"""

from __future__ import annotations

from typing import Any, Final

from app.flows.keys.life_cycle import ID_TOKEN_ALGORITHM
from app.tokens.client_assertions import ALGORITHMS

from .registration import GRANT_TYPES
from .scopes import SCOPES

AUTHENTICATION: Final = (
    "client_secret_basic",
    "client_secret_post",
    "private_key_jwt",
)

PROMPTS: Final = ("none", "login", "consent", "select_account", "create")

OF_ID_TOKEN: Final = (
    *("iss", "aud", "exp", "iat", "auth_time", "nonce", "at_hash", "sid"),
)
"""Claims of the id_token beside those of a scope."""


def server_metadata(
    issuer: str, *, terms: str | None = None, privacy: str | None = None
) -> dict[str, Any]:
    """Return the document of this provider; `issuer` is PUBLIC_URL byte for byte.

    `terms` and `privacy` are the operator's pages: an app may link them where a person
    chooses how to sign in (OpenID Connect Discovery section 3).
    """
    pages = {"op_tos_uri": terms, "op_policy_uri": privacy}
    claims = [claim for claims in SCOPES.values() for claim in claims]
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/oauth/authorize",
        "pushed_authorization_request_endpoint": f"{issuer}/oauth/par",
        "token_endpoint": f"{issuer}/oauth/token",
        "userinfo_endpoint": f"{issuer}/oauth/userinfo",
        "revocation_endpoint": f"{issuer}/oauth/revoke",
        "introspection_endpoint": f"{issuer}/oauth/introspect",
        "jwks_uri": f"{issuer}/.well-known/jwks.json",
        "scopes_supported": list(SCOPES),
        "claims_supported": [*claims, *OF_ID_TOKEN],
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": list(GRANT_TYPES),
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [ID_TOKEN_ALGORITHM],
        "token_endpoint_auth_methods_supported": [*AUTHENTICATION, "none"],
        "revocation_endpoint_auth_methods_supported": [*AUTHENTICATION, "none"],
        "introspection_endpoint_auth_methods_supported": list(AUTHENTICATION),
        **{
            f"{endpoint}_endpoint_auth_signing_alg_values_supported": list(ALGORITHMS)
            for endpoint in ("token", "revocation", "introspection")
        },
        "code_challenge_methods_supported": ["S256"],
        "prompt_values_supported": list(PROMPTS),
        "authorization_response_iss_parameter_supported": True,
        "claims_parameter_supported": False,
        "request_parameter_supported": False,
        "request_uri_parameter_supported": False,
        **{name: page for name, page in pages.items() if page is not None},
    }
