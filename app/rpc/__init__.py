"""gRPC front end: the native login for apps that prefer gRPC to HTTP.

Like `blueprints`, over the same use cases, with an address and a process of its own
(`python -m app.rpc`). It runs on one event loop: a waiting stream costs memory and no
thread. What blocks (SQL, requests to hosts) runs on bounded thread pools.
"""
