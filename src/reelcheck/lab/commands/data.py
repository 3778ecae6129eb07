"""``reelcheck lab import`` and ``reelcheck lab inspect``."""

from collections import Counter
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from reelcheck.exporters.base import plain_text
from reelcheck.lab.commands.app import app
from reelcheck.lab.data.boxes import write_coco
from reelcheck.lab.data.findings import Findings, inspect_manifest
from reelcheck.lab.data.layout_yolo import import_yolo
from reelcheck.lab.data.layouts import (
    Imported,
    import_folders,
    import_kinetics,
    import_konvid,
    import_ucf101,
    layout_of,
)
from reelcheck.lab.data.manifest import SPLITS, class_names, write_manifest
from reelcheck.lab.data.page import write_page

_SHOWN = 20
"""Lines about what is missing; the rest is counted."""


class Layout(StrEnum):
    """How labelled data may lie in a folder."""

    FOLDERS = "folders"
    KONVID = "konvid"
    KINETICS = "kinetics"
    UCF101 = "ucf101"
    YOLO = "yolo"


@app.command("import")
def import_data(
    folder: Annotated[Path, typer.Argument(help="Holds the videos or pictures.")],
    layout: Annotated[
        Layout | None, typer.Option(help="How they lie there; found out if not given.")
    ] = None,
    fold: Annotated[int, typer.Option(min=1, max=3, help="Of the lists of UCF101.")] = 1,
) -> None:
    """Make a manifest (clips.csv, or annotations.json for boxes) from a public layout.

    \b
    reelcheck lab import videos/            videos/fight/*.mp4, videos/calm/*.mp4
    reelcheck lab import KoNViD_1k/         scores for a quality network
    reelcheck lab import shapes/ --layout yolo
    """  # noqa: D301 - \b is typer's mark for text that keeps its lines
    chosen = layout or Layout(layout_of(folder))
    if chosen is Layout.YOLO:
        typer.echo(_write_boxes(folder))
        return
    found = _read(folder, chosen, fold)
    _tell_missing(found.missing, folder)
    target = folder / "clips.csv"
    write_manifest(found.rows, target)
    labels = class_names(found.rows)
    what = f"of {len(labels)} classes" if any(labels) else "with scores"
    typer.echo(f"{len(found.rows)} clips {what}{_parts([r.split for r in found.rows])}: {target}")


@app.command("inspect")
def inspect_data(
    manifest: Annotated[Path, typer.Argument(help="CSV, JSON Lines or COCO JSON.")],
    out: Annotated[Path | None, typer.Option(help="Write a page with previews here.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the recipe, for parts chosen by it.")] = 0,
    previews: Annotated[int, typer.Option(min=0, help="Clips shown of each class.")] = 6,
) -> None:
    """Look at all data of a manifest: counts, spreads, what cannot be read, what leaks.

    \b
    reelcheck lab inspect videos/clips.csv --out data.html
    """  # noqa: D301 - \b is typer's mark for text that keeps its lines
    found = inspect_manifest(manifest, seed=seed)
    typer.echo(_summary(found))
    if out is not None:
        write_page(found, out, per_class=previews)
        typer.echo(str(out))


def _summary(found: Findings) -> str:
    lines = [f"{'':24}{''.join(f'{part:>12}' for part in (*SPLITS, 'groups'))}"]
    for one in (*found.counts, found.total):
        name = plain_text(one.label) or f"all {found.unit}"
        lines.append(f"{name:24}{''.join(f'{count:12}' for count in (*one.parts, one.groups))}")
    lines += [
        f"{one.title}: {one.edges[0]:.3g} to {one.edges[-1]:.3g} {one.unit}, "
        f"median {one.median:.3g}"
        for one in found.histograms
    ]
    lines += [f"left out {name}: {why}" for name, why in list(found.unreadable.items())[:_SHOWN]]
    lines += [
        f"{'leak' if pair.is_leak else 'repeated'}: {pair.one.clip} ({pair.one.split}) shows the "
        f"same as {pair.other.clip} ({pair.other.split})"
        for pair in found.pairs[:_SHOWN]
    ]
    hidden = sum(max(0, len(part) - _SHOWN) for part in (found.unreadable, found.pairs))
    if hidden:
        lines.append(f"... and {hidden} more like this: use --out")
    lines += [f"a training refuses: {line}" for line in found.refusals]
    return "\n".join(plain_text(line) for line in lines)


def _read(folder: Path, layout: Layout, fold: int) -> Imported:
    if layout is Layout.UCF101:
        return import_ucf101(folder, fold=fold)
    if layout is Layout.KONVID:
        return import_konvid(folder)
    if layout is Layout.KINETICS:
        return import_kinetics(folder)
    return import_folders(folder)


def _write_boxes(folder: Path) -> str:
    table, missing = import_yolo(folder)
    _tell_missing(missing, folder)
    target = folder / "annotations.json"
    write_coco(table, target)
    objects = sum(len(picture.boxes) for picture in table.pictures)
    parts = _parts([picture.split for picture in table.pictures])
    return (
        f"{len(table.pictures)} pictures with {objects} objects of {len(table.classes)} "
        f"classes{parts}: {target}"
    )


def _parts(splits: list[str]) -> str:
    counts = Counter(splits)
    told = ", ".join(f"{count} {part}" for part, count in sorted(counts.items()) if part)
    return f" ({told})" if told else ""


def _tell_missing(lines: list[str], folder: Path) -> None:
    for line in lines[:_SHOWN]:
        typer.echo(line, err=True)
    if len(lines) > _SHOWN:
        path = folder / "import-notes.txt"
        path.write_text("\n".join(lines) + "\n", "utf-8")
        typer.echo(f"... and {len(lines) - _SHOWN} more like this: {path}", err=True)
