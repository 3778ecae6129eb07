"""The commands that guard models, for the group ``reelcheck models``."""

from pathlib import Path
from typing import Annotated

import typer

from reelcheck.cli.errors import tidy_errors

Folder = Annotated[Path, typer.Argument(help="Folder with card.toml and its weights.")]
Out = Annotated[Path, typer.Option(help="Folder to write, which must be new or empty.")]
KeyFile = Annotated[
    Path | None,
    typer.Option(help="Key of encrypted models; else $REELCHECK_MODEL_KEY, else models.toml."),
]


def register(group: typer.Typer) -> None:
    """Add the commands to the group."""
    group.command("keygen")(_keygen)
    group.command("sign")(_sign)
    group.command("verify")(_verify)
    group.command("trust")(_trust)
    group.command("probe")(_probe)
    group.command("encrypt")(_encrypt)
    group.command("decrypt")(_decrypt)
    group.command("convert")(_convert)


def _keygen(
    out: Annotated[Path, typer.Option(help="File of the secret key; never overwritten.")],
    kind: Annotated[
        str, typer.Option(help="ed25519 or p256 to sign with, aes256 to encrypt with.")
    ] = "ed25519",
) -> None:
    """Make a key: PEM with mode 0600, and the public key beside it.

    \b
    reelcheck models keygen --out release.pem            writes release.pem.pub too
    reelcheck models keygen --out release.pem --kind p256    for OpenSSF model signing
    reelcheck models keygen --out weights.key --kind aes256
    """  # noqa: D301 - \b is typer's mark for text that keeps its lines
    from reelcheck.cli.protecting import make_keys  # noqa: PLC0415 - quick help

    with tidy_errors():
        typer.echo(make_keys(out, kind=kind))


def _sign(
    folder: Folder,
    key: Annotated[Path, typer.Option(help="Secret key, as `models keygen` makes it.")],
) -> None:
    """Sign every file of a bundle, its card with name, version and licence included."""
    from reelcheck.cli.protecting import sign_model  # noqa: PLC0415 - quick help

    with tidy_errors():
        typer.echo(sign_model(folder, key))


def _verify(
    folder: Folder,
    trust: Annotated[
        Path | None, typer.Option(help="Only this public key counts, not those trusted before.")
    ] = None,
    key_file: KeyFile = None,
) -> None:
    """Check that a bundle is as it was signed, and no older than one that was seen."""
    from reelcheck.cli.protecting import verify_model  # noqa: PLC0415 - quick help

    with tidy_errors():
        typer.echo(verify_model(folder, trust, key_file=key_file))


def _trust(public_key: Annotated[Path, typer.Argument(help="Public key, as PEM.")]) -> None:
    """Trust a public key: models that it signed can be added and run."""
    from reelcheck.cli.protecting import trust_key  # noqa: PLC0415 - quick help

    with tidy_errors():
        typer.echo(trust_key(public_key))


def _encrypt(folder: Folder, out: Out, key_file: KeyFile = None) -> None:
    """Encrypt a bundle (AES-256-GCM). It runs as it is: it is decrypted in memory only.

    \b
    reelcheck models keygen --kind aes256 --out weights.key
    reelcheck models encrypt mine --key-file weights.key --out mine-sealed
    """  # noqa: D301 - \b is typer's mark for text that keeps its lines
    from reelcheck.cli.protecting import encrypt_model  # noqa: PLC0415 - quick help

    with tidy_errors():
        typer.echo(encrypt_model(folder, key_file=key_file, out=out))


def _decrypt(folder: Folder, out: Out, key_file: KeyFile = None) -> None:
    """Decrypt a bundle into a folder, where its weights are readable."""
    from reelcheck.cli.protecting import decrypt_model  # noqa: PLC0415 - quick help

    with tidy_errors():
        typer.echo(decrypt_model(folder, key_file=key_file, out=out))


def _probe(
    model: Annotated[
        str, typer.Argument(help="Name of a model, or folder of a bundle; default: all here.")
    ] = "",
) -> None:
    """Ask models inputs whose answers are known: is it still the model that it was?

    \b
    reelcheck models probe
    reelcheck models probe open-nsfw
    reelcheck models probe mine/
    """  # noqa: D301 - \b is typer's mark for text that keeps its lines
    from reelcheck.cli.protecting import probe_models  # noqa: PLC0415 - quick help

    with tidy_errors():
        typer.echo(probe_models(model))


def _convert(
    checkpoint: Annotated[Path, typer.Argument(help="A .pth file, as torch.save writes it.")],
    out: Annotated[Path, typer.Option(help="File to write, NAME.safetensors; must be new.")],
) -> None:
    """Convert a PyTorch checkpoint to safetensors, without PyTorch and without running its pickle.

    \b
    reelcheck models convert resnet18.pth --out resnet18.safetensors
    """  # noqa: D301 - \b is typer's mark for text that keeps its lines
    from reelcheck.cli.converting import convert_checkpoint  # noqa: PLC0415 - quick help

    with tidy_errors():
        typer.echo(convert_checkpoint(checkpoint, out))
