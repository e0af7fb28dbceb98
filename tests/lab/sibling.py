"""Another service of the platform, beside the sign-in service (PROD-LIKE only)."""

from __future__ import annotations

from tests.lab.network import LAB, NODE, SIBLING, Network
from tests.lab.processes import answers
from tests.lab.service import Service

URL = f"https://{SIBLING}"


def start_sibling(network: Network, service: Service) -> None:
    """Start the service of `sibling.mjs`, which trusts this issuer's public keys."""
    network.processes.start(
        "sibling",
        [NODE, LAB / "sibling.mjs"],
        environment={
            "SIBLING_PORT": str(network.ports[SIBLING]),
            "SIBLING_JWKS_URL": f"{service.url}/.well-known/jwks.json",
            "SIBLING_ISSUER": service.url,
            "SIBLING_AUDIENCE": service.url,
            "NODE_EXTRA_CA_CERTS": str(network.ca),
        },
        healthy=answers(URL, ca=network.ca),
    )
