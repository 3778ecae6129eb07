"""Changed inputs through every loader: text, JSON, TOML, CSV, keys, signatures, tables, weights.

A changed input may be taken, or refused with an error of ours; anything else is a fault. What is
signed or sealed may be taken only when it still says what it said.
"""

import atexit
import functools
import io
import pickle
import random
import re
import shutil
import tempfile
import time
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from fuzz_changes import EDGES, Changing
from fuzz_parts import none
from fuzz_videos import HANG_SECONDS, Ended
from protected_bundles import CARD, make_key, network, sign, weights, write_bundle
from reelcheck.calibration.labels import read_labels
from reelcheck.errors import ReelcheckError
from reelcheck.exporters.json import JsonExporter
from reelcheck.lab.data.manifest import read_manifest
from reelcheck.lab.recipe import load_recipe
from reelcheck.models.card import card_names, load_card, parse_card
from reelcheck.models.protect.encrypting import decrypted, encrypt_folder
from reelcheck.models.protect.folder import read_folder
from reelcheck.models.protect.keys import read_private_key, read_public_key
from reelcheck.models.protect.pickles import refuse_program
from reelcheck.models.protect.probes import from_bytes
from reelcheck.models.protect.signing import check_signatures
from reelcheck.models.protect.trust import model_settings
from reelcheck.models.protect.versions import refuse_older
from reelcheck.models.runtimes.onnx_checks import refuse_unsafe
from reelcheck.models.store import read_parts
from reelcheck.verdict.canonical import canonical
from reelcheck.verdict.judge import judge, rejudge
from reelcheck.verdict.policy import load_policy, parse_policy, policy_names
from reelcheck.verdict.report import parse_report
from reelcheck.verdict.sealing import check_report, sealed
from sample_policy import OPEN
from sample_timeline import realistic_timeline

SECRET_KEY: Final = bytes(range(32))
_LABELS: Final = (
    "file,start_seconds,end_seconds,label,group\n"
    'a.mp4,1.5,2.25,black,one\n"b, c.mp4",0,1e3,nudity.explicit,\nd.mp4,,,,two\n'
)
_MANIFEST: Final = (
    "file,label,split,start_seconds,end_seconds\nm.csv,calm,train,0,1\nm.csv,wild,,,\n"
)
_ROWS: Final = (
    '{"file": "m.csv", "label": "calm", "split": "train"}\n{"file": "m.csv", "score": 1}\n'
)
_TOKENS: Final = (
    *("0", "-1", "1e999", "-0.0", "1e-400", "nan", "inf", "NaN", "Infinity", "true", "null"),
    *('""', "[]", "{}", "[[[[[[", "{{{{", '"\\u0000"', '"\\ud800"', "\x00", "\u202e", "'''", '"""'),
    *("../../etc/passwd", "=cmd()", "9" * 400, "0x7fffffffffffffff", "1979-05-27T07:32:00Z"),
    *(
        "\n",
        "\r",
        ",",
        ":",
        "=",
        '"',
        "#",
        "\\",
        "[",
        "]",
        "{",
        "}",
        "\ufeff",
        "-----BEGIN KEY-----",
    ),
    *(str(edge) for edge in EDGES),
)
_WORD: Final = re.compile(rb"[A-Za-z0-9_.+-]+|\"[^\"\n]*\"")


@dataclass(frozen=True, slots=True)
class Loader:
    """One way in: valid inputs for it, what reads them, and whether any change must be refused."""

    valid: tuple[bytes, ...]
    load: Callable[[bytes], object]
    guarded: bool = False
    """``load`` returns whether a changed input was taken for what it was not."""


@functools.cache
def _home() -> Path:
    """Return a folder that lives as long as this process."""
    folder = Path(tempfile.mkdtemp(prefix="reelcheck-fuzz-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    (folder / "m.csv").write_text("named by manifests")
    return folder


def _by_path(read: Callable[[Path], object], name: str) -> Callable[[bytes], object]:
    def load(data: bytes) -> object:
        path = _home() / name
        path.write_bytes(data)
        path.chmod(0o600)
        return read(path)

    return load


def _by_setting(read: Callable[[], object], name: str) -> Callable[[bytes], object]:
    def load(data: bytes) -> object:
        folder = _home() / "config"
        folder.mkdir(exist_ok=True)
        (folder / name).write_bytes(data)
        try:
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("REELCHECK_CONFIG", str(folder))
                return read()
        finally:
            (folder / name).unlink()

    return load


def _card(data: bytes) -> object:
    # As the readers of cards do: what is no text has been refused before.
    return parse_card(data.decode("utf-8", "replace"), where="card.toml")


def _bundle() -> tuple[Mapping[str, bytes], Path]:
    folder = _home() / "bundle"
    key = _home() / "p256.pem"
    if not folder.exists():
        write_bundle(folder)
        sign(folder, make_key(_home(), name="p256"))
    return read_folder(folder), key


def _signature(name: str) -> Loader:
    content, key = _bundle()
    trusted = [read_private_key(key).public]

    def load(data: bytes) -> object:
        check_signatures({**content, name: data}, trusted)
        return data != content[name] and name == "signature.json"

    return Loader((content[name],), load, guarded=True)


def _sealed_file() -> Loader:
    _bundle()
    out = _home() / "encrypted"
    encrypt_folder(_home() / "bundle", SECRET_KEY, out=out)
    content = read_folder(out)
    name = "notes/origin.txt.sealed"
    plain = decrypted(content, SECRET_KEY)

    def load(data: bytes) -> object:
        return decrypted({**content, name: data}, SECRET_KEY) != plain

    return Loader((content[name],), load, guarded=True)


def _report() -> tuple[Loader, Loader]:
    report = judge(realistic_timeline(), OPEN)
    _, key = _bundle()
    secret = read_private_key(key)
    stored = JsonExporter().render(sealed(report, secret))
    before = canonical(parse_report(stored).model_dump(mode="python"))

    def read(data: bytes) -> object:
        return JsonExporter().render(rejudge(parse_report(data), OPEN))

    def verify(data: bytes) -> object:
        if check_report(data, [secret.public]).state != "intact":
            return False
        return canonical(parse_report(data).model_dump(mode="python")) != before

    return Loader((stored,), read), Loader((stored,), verify, guarded=True)


def _keys() -> tuple[Loader, Loader]:
    made = [make_key(_home() / "keys", kind=kind, name=kind) for kind in ("ed25519", "p256")]
    secret = tuple(path.read_bytes() for path in made)
    public = tuple(path.with_name(f"{path.name}.pub").read_bytes() for path in made)
    return (
        Loader(secret, _by_path(read_private_key, "key.pem")),
        Loader(public, _by_path(read_public_key, "key.pub")),
    )


def _probe_files() -> tuple[bytes, ...]:
    folder = Path(__file__).parent.parent / "src" / "reelcheck" / "models" / "probes"
    return tuple(path.read_bytes() for path in sorted(folder.glob("*.safetensors")))[:2]


def _weights() -> tuple[bytes, ...]:
    card = load_card("quality")
    return network(weights()), bytes(read_parts(card).content[card.weights.file])


def _pickles() -> tuple[bytes, ...]:
    plain = {"epoch": 3, "state": {"a": [1.0, 2.5], "b": ("x", None, True)}}
    program = pickle.dumps(plain, protocol=2)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("archive/data.pkl", program)
        archive.writestr("archive/data/0", bytes(64))
    return packed.getvalue(), program * 5 + bytes(64)


def _recipe() -> bytes:
    return (Path(__file__).parent.parent / "recipes" / "quality.toml").read_bytes()


def _built_in_policies() -> tuple[bytes, ...]:
    folder = Path(__file__).parent.parent / "src" / "reelcheck"
    found = [path for name in policy_names() for path in folder.rglob(f"{name}.toml")]
    return tuple(path.read_bytes() for path in found)


def _cards() -> tuple[bytes, ...]:
    folder = Path(__file__).parent.parent / "src" / "reelcheck" / "models" / "cards"
    found = tuple((folder / f"{name}.toml").read_bytes() for name in card_names())
    return (CARD.format(name="mine", version="1.2", more="").encode(), *found)


@functools.cache
def loaders() -> dict[str, Loader]:
    """Return the loaders by name."""
    report, verify = _report()
    private, public = _keys()
    versions = _by_setting(lambda: refuse_older("mine", "1.0"), "versions.json")
    return {
        "card": Loader(_cards(), _card),
        "policy": Loader(_built_in_policies(), lambda data: parse_policy(data, where="fuzz")),
        "policyfile": Loader(_built_in_policies(), _by_path(load_policy, "policy.toml")),
        "report": report,
        "verify": verify,
        "labels": Loader((_LABELS.encode(),), _by_path(read_labels, "labels.csv")),
        "manifest": Loader((_MANIFEST.encode(),), _by_path(read_manifest, "m.csv")),
        "manifestrows": Loader((_ROWS.encode(),), _by_path(read_manifest, "m.jsonl")),
        "recipe": Loader((_recipe(),), _by_path(load_recipe, "recipe.toml")),
        "privatekey": private,
        "publickey": public,
        "signature": _signature("signature.json"),
        "openssf": _signature("model.sig"),
        "sealed": _sealed_file(),
        "probes": Loader(_probe_files(), from_bytes),
        "onnx": Loader(_weights(), refuse_unsafe),
        "pickle": Loader(_pickles(), lambda data: refuse_program(data, where="fuzz.pth")),
        "settings": Loader(
            (b'mode = "strict"\nkey_file = "/x"\nkey_command = ["a", "b"]\n',),
            _by_setting(model_settings, "models.toml"),
        ),
        "versions": Loader((b'{"mine":"1.2","other":"3.0"}\n',), versions),
    }


NAMES: Final = (
    *("card", "policy", "policyfile", "report", "verify", "labels", "manifest", "manifestrows"),
    *("privatekey", "publickey", "signature", "openssf", "sealed", "probes", "onnx", "pickle"),
    *("settings", "versions", "recipe"),
)


def _words(data: bytearray, chance: random.Random) -> None:
    """Put another word, or an odd one, in the place of one, or take a line away or twice."""
    places = [match.span() for match in _WORD.finditer(bytes(data[: 1 << 16]))]
    kind = chance.randrange(4)
    if kind == 0 or not places:
        lines = bytes(data).split(b"\n")
        at = chance.randrange(len(lines))
        lines[at : at + 1] = chance.choice(
            ([], [lines[at]] * 2, [lines[chance.randrange(len(lines))]])
        )
        data[:] = b"\n".join(lines)
        return
    start, end = chance.choice(places)
    if kind == 1:
        other = chance.choice(places)
        data[start:end] = data[other[0] : other[1]]
    elif kind == 2:
        data[start:end] = chance.choice(_TOKENS).encode("utf-8", "replace")
    else:
        opening, closing = chance.choice(((b"[", b"]"), (b"{", b"}"), (b'"', b'"'), (b"(", b")")))
        depth = chance.choice((1, 30, 3000, 100_000))
        data[start:end] = opening * depth + data[start:end] + closing * depth


def changed_input(seed: int, number: int) -> tuple[str, bytes, str]:
    """Return the name of the loader of input ``number``, the input, and what was done to it."""
    chance = random.Random(f"{seed}:{number}:loader")
    name = NAMES[number % len(NAMES)]
    changing = Changing(chance.choice(loaders()[name].valid), none, chance)
    told = []
    for _ in range(chance.choice((1, 1, 2, 4))):
        if chance.random() < 0.6:
            _words(changing.data, chance)
            told.append("words")
        else:
            told.append(changing.change(1))
    return name, bytes(changing.data), f"{name}: {'+'.join(told)}"


def end_of_input(name: str, data: bytes) -> Ended:
    """Load an input; return how that ends."""
    started = time.monotonic()
    fault = ""
    try:
        wrong = loaders()[name].load(data)
        outcome = "ok"
        if wrong is True and loaders()[name].guarded:
            fault = "taken, though it is not what was signed"
    except ReelcheckError as error:
        outcome = error.code
        if error.code == "E_INTERNAL":
            fault = f"a fault of ours: {error}"
    except Exception as error:  # noqa: BLE001 - it is what is looked for
        outcome = f"{name}: {type(error).__name__}"
        fault = f"{name}: {type(error).__name__}: {error}"
    seconds = time.monotonic() - started
    if seconds > HANG_SECONDS:
        fault = fault or f"it took {seconds:.0f} s"
    return Ended(outcome=outcome, fault=fault, seconds=seconds)
