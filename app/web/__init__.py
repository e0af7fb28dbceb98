"""Flask plumbing that the routes share: access marks, cookies, errors, CORS."""
