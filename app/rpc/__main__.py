"""`python -m app.rpc`: serve gRPC until SIGTERM. Settings as for the web."""

import os

import click

from app import serve_rpc, version

# The gRPC core reads this when it is imported. Otherwise it writes lines of its own
# to stderr, one for each failed handshake; our log has what an operator needs.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")


def _print_version(context: click.Context, _: click.Parameter, is_asked: bool) -> None:
    if is_asked:
        click.echo(version())
        context.exit()


@click.command(help="Serve gRPC until SIGTERM, by the settings of the environment.")
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Show the version and exit.",
)
def main() -> None:
    """Serve gRPC."""
    serve_rpc()


if __name__ == "__main__":
    main(prog_name="python -m app.rpc")
