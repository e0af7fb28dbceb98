"""Routes: parse a request, call one use case, render its result.

Views catch no failures: `web/errors` turns each into a page or JSON. Views use no
store, setting or socket: `web/context` gives them use cases and facts for pages.
"""
