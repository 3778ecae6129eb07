"""``reelcheck lab leak``: what the answers of a network give away."""

from typing import Annotated

import typer

from reelcheck.lab.commands.app import RunFolder, app
from reelcheck.lab.engine.run import load_trained
from reelcheck.lab.leak.extraction import extraction
from reelcheck.lab.leak.membership import membership
from reelcheck.lab.leak.report import extraction_text, membership_text, write_leak

group = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Measure what answers give away."
)
app.add_typer(group, name="leak")

_Digits = Annotated[int, typer.Option(min=1, max=6, help="After the point, of rounded answers.")]


@group.command("membership")
def measure_membership(
    folder: RunFolder,
    shadows: Annotated[
        int, typer.Option(min=0, help="Networks to train for the likelihood attack; even.")
    ] = 8,
    digits: _Digits = 2,
) -> None:
    """Tell how well an attacker finds out which samples were trained on.

    Full, rounded and label-only answers are attacked; leak-membership.json is written beside the
    network.

    \b
    reelcheck lab leak membership runs/first
    reelcheck lab leak membership runs/first --shadows 0       the quick attack alone
    """  # noqa: D301 - \b is typer's mark for text that keeps its lines
    plan, trained = load_trained(folder)
    found = membership(plan, trained, shadows=shadows, digits=digits, tell=_tell)
    write_leak(found, folder / "leak-membership.json")
    typer.echo(membership_text(found))


@group.command("extraction")
def measure_extraction(
    folder: RunFolder,
    queries: Annotated[
        list[int] | None, typer.Option(min=1, help="Answers that the thief gets; repeatable.")
    ] = None,
    digits: _Digits = 2,
) -> None:
    """Tell how good a copy gets that is trained on the answers of a network.

    Copies are made of full, rounded and label-only answers; leak-extraction.json is written beside
    the network.

    \b
    reelcheck lab leak extraction runs/first --queries 100 --queries 1000
    """  # noqa: D301 - \b is typer's mark for text that keeps its lines
    plan, trained = load_trained(folder)
    counts = sorted(set(queries or (100, 1000)))
    found = extraction(plan, trained, queries=counts, digits=digits, tell=_tell)
    write_leak(found, folder / "leak-extraction.json")
    typer.echo(extraction_text(found))


def _tell(line: str) -> None:
    typer.echo(line, err=True)
