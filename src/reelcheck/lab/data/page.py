"""What a manifest holds as one HTML file: no script, no other file.

Names and labels are made plain and escaped; the content security policy allows this very style and
the pictures in the file itself, nothing else.
"""

import base64
import hashlib
import io
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from importlib import resources
from pathlib import Path
from typing import Final

import numpy as np
from jinja2 import Environment
from markupsafe import Markup
from PIL import Image, ImageDraw

from reelcheck.errors import OutputError, ReelcheckError
from reelcheck.exporters.base import plain_text
from reelcheck.lab.data.box_dataset import BoxDataset
from reelcheck.lab.data.boxes import BoxTable, Picture
from reelcheck.lab.data.findings import Findings, Histogram
from reelcheck.lab.data.manifest import SPLITS, Row
from reelcheck.lab.data.reading import Pictures, read_pictures

_GAP_PX: Final = 3
_FRAMES: Final = 3
_PREVIEW_FPS: Final = Fraction(4)
_HEIGHT_PX: Final = 90
_BOXES_HEIGHT_PX: Final = 200
_JPEG_QUALITY: Final = 75
_MOST_PREVIEWS: Final = 400
"""Clips on one page, about 5 MB."""
_MOST_LINES: Final = 500
_BANDS: Final = ("lowest", "low", "middle", "high", "highest")
"""Fifths of the scores, in whose place there are no classes to show."""
_GRAPH_PX: Final = (360, 120)
_COLOURS: Final = ("#e6194b", "#3cb44b", "#4363d8", "#f58231", "#911eb4", "#008080")


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """One clip or picture on the sheet."""

    url: str
    width_px: int
    height_px: int
    name: str
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """Previews of one class."""

    title: str
    previews: tuple[Preview, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One bin of a histogram, in pixels of the graph."""

    x: float
    y: float
    width: float
    height: float
    title: str


def write_page(findings: Findings, path: Path, *, per_class: int) -> None:
    """Write the page, with previews of at most ``per_class`` clips or pictures of each class.

    Raises:
        OutputError: the file cannot be written.
    """
    text = _render(findings, per_class=per_class)
    try:
        path.write_bytes(text.encode("utf-8", "backslashreplace"))
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}") from error


def _render(findings: Findings, *, per_class: int) -> str:
    style = _asset("inspect.css")
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters["plain"] = lambda value: plain_text(str(value))
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return environment.from_string(
        _asset("inspect.html.j2")
    ).render(
        style=Markup(style),  # noqa: S704 - our own file
        policy=f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; "
        "base-uri 'none'; form-action 'none'",
        found=findings,
        verdict=_verdict(findings),
        parts=SPLITS,
        graph=_GRAPH_PX,
        histograms=[(one, list(_bars(one))) for one in findings.histograms],
        pairs=findings.pairs[:_MOST_LINES],
        unreadable=list(findings.unreadable.items())[:_MOST_LINES],
        most=_MOST_LINES,
        sheets=list(_sheets(findings, per_class)),
    )


def _verdict(findings: Findings) -> str:
    if findings.refusals:
        return "fail"
    doubtful = findings.unreadable or any(pair.is_leak for pair in findings.pairs)
    return "warn" if doubtful else "pass"


def _asset(name: str) -> str:
    return (resources.files("reelcheck.lab.data") / "templates" / name).read_text("utf-8")


def _bars(histogram: Histogram) -> Iterator[Bar]:
    width, height = _GRAPH_PX[0] / len(histogram.counts), _GRAPH_PX[1]
    for place, count in enumerate(histogram.counts):
        tall = height * count / max(histogram.counts)
        low, high = histogram.edges[place : place + 2]
        yield Bar(
            x=round(place * width + 0.5, 2),
            y=round(height - tall, 2),
            width=round(width - 1, 2),
            height=round(tall, 2),
            title=f"{low:.3g} to {high:.3g} {histogram.unit}: {count}",
        )


def _sheets(findings: Findings, per_class: int) -> Iterator[Sheet]:
    left = _MOST_PREVIEWS
    for title, numbers in _chosen(findings, per_class).items():
        shown = numbers[: max(0, left)]
        left -= len(shown)
        if shown:
            previews = tuple(_preview(findings, number) for number in shown)
            yield Sheet(title=title, previews=previews)


def _chosen(findings: Findings, per_class: int) -> dict[str, list[int]]:
    """Return which rows are shown of each class, spread over all of its rows."""
    members: dict[str, list[int]] = defaultdict(list)
    ordered = sorted(range(len(findings.rows)), key=lambda number: findings.rows[number].label)
    if not any(row.label for row in findings.rows):
        ordered.sort(key=lambda number: findings.rows[number].score or 0.0)
    for place, number in enumerate(ordered):
        row = findings.rows[number]
        band = f"{_BANDS[place * len(_BANDS) // len(ordered)]} scores"
        unlabelled = "no object" if findings.boxes else band
        members[row.label or unlabelled].append(number)
    spread = np.linspace(0, 1, per_class) if per_class > 1 else np.zeros(per_class)
    return {
        title: list(dict.fromkeys(numbers[round(at * (len(numbers) - 1))] for at in spread))
        for title, numbers in members.items()
    }


def _preview(findings: Findings, number: int) -> Preview:
    row = findings.rows[number]
    note = row.split if row.score is None else f"{row.split}, score {row.score:g}"
    try:
        if findings.boxes:
            image = _with_boxes(findings.boxes.pictures[number], findings.boxes.classes)
        else:
            image = _strip(findings.path.parent, row)
    except (ReelcheckError, OSError) as error:
        return Preview(url="", width_px=0, height_px=0, name=row.clip, note=f"{note}: {error}")
    with io.BytesIO() as file:
        image.save(file, "JPEG", quality=_JPEG_QUALITY)
        url = "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()
    return Preview(url=url, width_px=image.width, height_px=image.height, name=row.clip, note=note)


def _strip(folder: Path, row: Row) -> Image.Image:
    """Return first, middle and last picture of a clip, side by side."""
    pictures = read_pictures(
        folder / row.file,
        rate_fps=_PREVIEW_FPS,
        start_seconds=row.start_seconds or 0.0,
        end_seconds=row.end_seconds,
        change=_small,
    )
    chosen = np.linspace(0, len(pictures) - 1, _FRAMES).round().astype(int)
    gap = ((0, 0), (0, _GAP_PX), (0, 0))
    apart = [np.pad(pictures[one], gap, constant_values=255) for one in chosen]
    return Image.fromarray(np.concatenate(apart, axis=1)[:, :-_GAP_PX])


def _small(frames: Pictures) -> Pictures:
    return np.asarray(_scaled(Image.fromarray(frames[0]), _HEIGHT_PX))[None]


def _scaled(image: Image.Image, height_px: int) -> Image.Image:
    width = max(1, round(image.width * height_px / image.height))
    return image.resize((width, height_px), Image.Resampling.BILINEAR)


def _with_boxes(picture: Picture, classes: tuple[str, ...]) -> Image.Image:
    table = BoxTable(classes=classes, pictures=(picture,))
    pixels, boxes, labels = BoxDataset(table, size_px=1).sample(0)
    image = _scaled(Image.fromarray(pixels), _BOXES_HEIGHT_PX)
    draw = ImageDraw.Draw(image)
    for box, label in zip(
        (boxes * image.height / pixels.shape[0]).tolist(), labels.tolist(), strict=True
    ):
        colour = _COLOURS[label % len(_COLOURS)]
        draw.rectangle(box, outline=colour, width=2)
        place, name = (box[0] + 4, box[1] + 2), plain_text(classes[label])
        draw.rectangle(draw.textbbox(place, name), fill=colour)
        draw.text(place, name, fill="white")
    return image
