"""gRPC in, gRPC out: the native login for apps that prefer it to HTTP.

A front end like `blueprints`, over the same flows, with an address and a process of its
own (`python -m app.rpc`). It runs on one event loop: an awaiting stream costs memory
and no thread; what blocks (SQL, other people's servers) runs on bounded pools.
"""
