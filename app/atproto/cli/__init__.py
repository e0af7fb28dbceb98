"""The command line: `login`, `whoami`, `discover`, `refresh`, `call` and `logout`.

A thin front end of the library for one person's machine; docs/cli.md describes it. It
knows two names, `python -m app.atproto` and, installed as a wheel, `latchkey-atproto`;
so every import here is a relative one.
"""
