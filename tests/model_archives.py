"""Archives as PyPI and npm have them, and cards for them."""

import base64
import hashlib
import io
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reelcheck.models.card import Card
from tfjs_model import SmallModel

MIT = b"""MIT License. Permission is hereby granted, free of charge, to any person obtaining a copy
of this. The above copyright notice and this permission notice shall be included in all copies. THE
SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY."""
AGPL = b"GNU AFFERO GENERAL PUBLIC LICENSE\n   Version 3, 19 November 2007"
WEIGHTS = b"weights" * 1000
INFO = "tiny_weights-1.0.dist-info"
COPYLEFT = ["AGPL-3.0", "GPL-3.0"]
Entries = Mapping[str, bytes]


def wheel(**more: bytes) -> dict[str, bytes]:
    """Return the entries of a wheel that pip takes."""
    entries = {
        "tiny_weights/model.onnx": WEIGHTS,
        f"{INFO}/licenses/LICENSE": MIT,
        f"{INFO}/METADATA": b"Metadata-Version: 2.1\nName: tiny-weights\nVersion: 1.0\n",
        f"{INFO}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        **more,
    }
    lines = [f"{name},sha256={_urlsafe(data)},{len(data)}\n" for name, data in entries.items()]
    return {**entries, f"{INFO}/RECORD": "".join([*lines, f"{INFO}/RECORD,,\n"]).encode()}


def _urlsafe(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")


def zipped(entries: Entries) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return file.getvalue()


def tarred(entries: Entries, *, links: Mapping[str, str] | None = None) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        for name, data in entries.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        for name, target in (links or {}).items():
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE, target
            archive.addfile(info)
    return file.getvalue()


def card(data: bytes, *, members: Entries | None = None, **origin: object) -> Card:
    """Return a card for an archive with these members."""
    members = {"tiny_weights/model.onnx": WEIGHTS} if members is None else members
    values: dict[str, Any] = {
        "name": "tiny",
        "version": "1",
        "task": "nothing",
        "summary": "A test.",
        "licence": origin.pop("licence", "MIT"),
        "source": "made here",
        "sha256": origin.pop("sha256", hashlib.sha256(WEIGHTS).hexdigest()),
        "weights": {"file": "model.onnx"},
        "input": {"name": "x", "layout": "NHWC", "channels": "RGB", "resize_px": (4, 4)},
        "output": {"name": "y", "labels": ["one"]},
        "training": {"data": "none"},
        "figures": {},
    }
    values["origin"] = {
        "registry": "pypi",
        "package": "tiny-weights",
        "release": "1.0",
        "archive_bytes": len(data),
        "archive_sha256": hashlib.sha256(data).hexdigest(),
        "licence_file": f"{INFO}/licenses/LICENSE",
        "members": [
            {"path": path, "sha256": hashlib.sha256(one).hexdigest()}
            for path, one in members.items()
        ],
        **origin,
    }
    return Card.model_validate(values)


def npm_card(data: bytes, **more: object) -> Card:
    files = npm_files()
    return card(
        data,
        members={name: files[name] for name in files if name != "package/LICENSE"},
        registry="npm",
        convert="tfjs-layers",
        licence_file="package/LICENSE",
        sha256="",
        **more,
    )


def npm_files() -> dict[str, bytes]:
    model, first, second = SmallModel().modules()
    return {
        "package/LICENSE": MIT,
        "package/model.min.js": model,
        "package/1.min.js": first,
        "package/2.min.js": second,
    }


def saved(folder: Path, data: bytes, name: str = "tiny_weights-1.0-py3-none-any.whl") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(data)
    return folder / name


def untouched(store: Path) -> bool:
    return not store.exists() or not list(store.iterdir())
