"""``reelcheck lab import``: from videos in folders to a manifest."""

from pathlib import Path
from typing import Annotated

import typer

from reelcheck.lab.commands.app import app
from reelcheck.lab.data.manifest import class_names, import_folders, write_manifest


@app.command("import")
def import_videos(
    folder: Annotated[Path, typer.Argument(help="Holds one folder of videos per class.")],
) -> None:
    """Make a manifest from folders of classes.

    \b
    reelcheck lab import videos/            videos/fight/*.mp4, videos/calm/*.mp4
    """  # noqa: D301 - \b is typer's mark for text that keeps its lines
    rows = import_folders(folder)
    target = folder / "clips.csv"
    write_manifest(rows, target)
    typer.echo(f"{len(rows)} clips of {len(class_names(rows))} classes: {target}")
