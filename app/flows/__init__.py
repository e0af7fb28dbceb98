"""The use cases: what the platform does, without Flask, SQL or sockets.

Each flow is a small frozen dataclass whose fields are its collaborators and which has
one public method. It may import `app.tokens` and `app.atproto` and nothing above.
"""
