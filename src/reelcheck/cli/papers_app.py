"""The commands of the paper trail: is a report as it was made, and what is reelcheck made of."""

from pathlib import Path
from typing import Annotated

import typer

from reelcheck.cli.errors import tidy_errors


def register(group: typer.Typer) -> None:
    """Add the commands to the group."""
    group.command("verify")(_verify)
    group.command("sbom")(_sbom)


def _verify(
    report: Annotated[Path, typer.Argument(help="A stored report.json.")],
    trust: Annotated[
        Path | None, typer.Option(help="Public key to trust; else those of `models trust`.")
    ] = None,
    input_: Annotated[
        Path | None, typer.Option("--input", help="The video: is it the one of the report?")
    ] = None,
) -> None:
    """Say whether a report is as it was made, and by whom. Exit codes: 0, 1 altered, 4 unknown.

    \b
    reelcheck analyze clip.mp4 --sign-report release.pem --out report
    reelcheck verify report/report.json --trust release.pem.pub --input clip.mp4
    """  # noqa: D301 - \b is typer's mark for text that keeps its lines
    from reelcheck.cli.verifying import verify_report  # noqa: PLC0415 - quick help

    with tidy_errors():
        raise typer.Exit(verify_report(report, trust=trust, video=input_))


def _sbom(
    out: Annotated[Path | None, typer.Option(help="File to write; else stdout.")] = None,
) -> None:
    """Write what reelcheck is made of here, as a CycloneDX 1.6 bill of materials.

    Packages, the native libraries inside them, and models, each with version, licence and SHA-256.
    """
    from reelcheck.cli.sbom import write_bill  # noqa: PLC0415 - quick help

    with tidy_errors():
        write_bill(out)
