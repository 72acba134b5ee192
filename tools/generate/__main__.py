"""`python -m tools.generate`: write the documents; `--check`: exit 1 if one is out of step."""

import difflib
from pathlib import Path
from typing import Annotated

import typer

from tools.generate.documents import Document, documents

ROOT = Path(__file__).parents[2]
_DIFF_LINES = 20

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def generate(
    check: Annotated[bool, typer.Option("--check", help="Write nothing, compare only.")] = False,
) -> None:
    """Write Pulumi.yaml's config section and the pages about config and plan."""
    stale = [document for document in documents(ROOT) if document.text != _present(document)]
    for document in stale:
        if check:
            typer.echo(_difference(document), err=True)
        else:
            document.path.parent.mkdir(parents=True, exist_ok=True)
            document.path.write_text(document.text, encoding="utf-8")
            typer.echo(f"written: {document.path.relative_to(ROOT)}")
    if check and stale:
        typer.echo("run `python -m tools.generate` and commit what it writes", err=True)
        raise typer.Exit(1)


def _present(document: Document) -> str:
    return document.path.read_text(encoding="utf-8") if document.path.exists() else ""


def _difference(document: Document) -> str:
    name = str(document.path.relative_to(ROOT))
    lines = list(
        difflib.unified_diff(
            _present(document).splitlines(),
            document.text.splitlines(),
            f"{name} as it is",
            f"{name} as it would be",
            lineterm="",
            n=1,
        )
    )
    more = len(lines) - _DIFF_LINES
    return "\n".join([*lines[:_DIFF_LINES], *([f"… and {more} lines more"] if more > 0 else [])])


if __name__ == "__main__":
    app(prog_name="python -m tools.generate")
