"""HTTP in, HTTP out: parse a request, call one flow, render what came of it.

Views never catch: `errors` turns every failure into a page or JSON. Views never touch a
store, a setting or a socket: `context` hands them the flows and what pages need.
"""
