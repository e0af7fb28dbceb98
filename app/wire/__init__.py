"""The gRPC interface on the wire: `latchkey/v1/auth.proto` and what is made from it.

Both ends import it, the server (`app.rpc`) and the apps (`app.native`), and it imports
nothing of ours. `make proto` writes the Python files anew; a test compares them. They
need grpcio and protobuf no older than what `pyproject.toml` names.
"""
