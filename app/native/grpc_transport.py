"""The gRPC transport under its public name; it needs the extra `grpc`."""

from __future__ import annotations

from .transports.grpc_transport import GrpcTransport

__all__ = ["GrpcTransport"]
