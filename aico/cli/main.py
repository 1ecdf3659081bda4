"""The command line: `aico`."""

import sys
from typing import Annotated

import typer

from aico import __version__
from aico.cli.commands import Commands
from aico.cli.show import err
from aico.core.errors import AicoError, InvalidInput

EXIT_ERROR, EXIT_USAGE = 1, 2

app = typer.Typer(
    name="aico",
    cls=Commands,
    help="AI Cost Optimizer: answers prompts from the cache or by the cheapest model that is good enough.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


@app.callback(invoke_without_command=True)
def version(show: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if show:
        typer.echo(__version__)
        raise typer.Exit


def run() -> None:
    """Errors that a user can act on are one line; everything else keeps its traceback."""
    try:
        app()
    except AicoError as error:
        err.print(f"[red]error:[/red] {error.detail}", highlight=False)
        sys.exit(EXIT_USAGE if isinstance(error, InvalidInput) else EXIT_ERROR)


if __name__ == "__main__":
    run()
