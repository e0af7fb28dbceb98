"""`python -m app.rpc`: serve gRPC until SIGTERM. Settings as for the web."""

import os

from app import serve_rpc

# The gRPC core reads this when it is imported. Otherwise it writes lines of its own
# to stderr, one for each failed handshake; our log has what an operator needs.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

serve_rpc()
