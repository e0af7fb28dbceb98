"""`python -m app.rpc`: serve gRPC until SIGTERM. Settings as for the web."""

import os

from app import serve_rpc

# gRPC's core writes lines of its own, one for each handshake that fails, and reads this
# when it is imported. What matters of it stands in our log.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

serve_rpc()
