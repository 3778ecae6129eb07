"""``reelcheck models``: the catalogue."""

from pathlib import Path

from reelcheck.models.card import card_names, load_card, store_folder
from reelcheck.models.store import add_bundle, locate, own_names


def list_models() -> str:
    """Return one line per model: name, version, task, licence, whether it is here."""
    rows = [("NAME", "VERSION", "TASK", "LICENCE", "HERE")]
    for name in (*card_names(), *own_names()):
        card = load_card(name)
        here = "at its server" if card.url else "yes" if locate(card) else "no"
        rows.append((card.name, card.version, card.task, card.licence, here))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    return "\n".join(lines)


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
        f"runtime        {card.runtime}",
        f"weights        {where}",
        f"sha256         {card.sha256 or 'recorded when they are made'}",
        f"input          {card.input.channels} {width} x {height}, {card.input.layout}",
        f"labels         {', '.join(card.output.labels)}",
        f"training data  {card.training.data}",
        "",
        "figures",
        *(f"  {key}: {text}" for key, text in card.figures.items()),
        "limits",
        *(f"  - {note}" for note in card.limits.notes),
    ]
    return "\n".join(lines)


def add_model(folder: Path) -> str:
    """Copy a bundle into the store; return what can be done with it now."""
    card = add_bundle(folder)
    return f"added {card.name}; run it with: reelcheck analyze VIDEO --only {card.name}"
