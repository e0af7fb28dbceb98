"""Transports: how the client asks the service, over HTTP or gRPC."""
