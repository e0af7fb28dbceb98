"""Defences that every route has: access marks, CORS, headers, trusted proxies."""
