"""Why there is no listener.

    ListenerRefused
    ├── CertificateUnusable   not a certificate and its key
    └── CannotListen          the address is taken, or not this machine's

What a call refuses are the failures of the flows (`app.failures`).
"""

from __future__ import annotations


class ListenerRefused(Exception):
    """Base of what keeps the listener from starting; one line for the operator."""


class CertificateUnusable(ListenerRefused):
    """The two files are not a certificate and its private key."""


class CannotListen(ListenerRefused):
    """The address is taken, or not this machine's."""
