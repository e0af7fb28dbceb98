"""The command line of `python -m app.native`."""
