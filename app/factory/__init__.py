"""The composition root: settings -> stores -> keys -> OAuth client -> use cases.

`web.create_app` makes the Flask application and `rpc.open_rpc` the gRPC listener, both
on `container.open_parts`. This package imports neither, so that the gRPC process loads
no Flask and the web process no gRPC. Only the factory reads settings and the clock,
and only the factory knows which store stands behind which port.
"""
