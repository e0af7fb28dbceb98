"""`python -m app.rpc`: serve gRPC until SIGTERM. Settings as for the web."""

from app import serve_rpc

serve_rpc()
