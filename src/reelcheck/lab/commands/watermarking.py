"""``reelcheck lab watermark``: marks in networks, and claims on networks of others."""

import copy
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from reelcheck.lab.commands.app import RunFolder, app
from reelcheck.lab.engine.run import load_trained
from reelcheck.lab.evaluation.against import compare
from reelcheck.lab.evaluation.rows import predict
from reelcheck.lab.watermark.claiming import claim, refuse_unmarked, to_text
from reelcheck.lab.watermark.commitment import (
    committed_to,
    read_commitment,
    write_commitment,
)
from reelcheck.lab.watermark.embedding import embed, refuse_taken, write_marked
from reelcheck.lab.watermark.secret import BITS, Secret
from reelcheck.lab.watermark.survival import HEAD, fresh_samples, measured, survive, to_line
from reelcheck.lab.watermark.suspects import suspect_of
from reelcheck.models.protect.keys import PublicKey, read_private_key, read_public_key
from reelcheck.models.protect.model_key import model_key
from reelcheck.models.protect.trust import trusted_keys

group = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Mark networks, and claim marked ones."
)
app.add_typer(group, name="watermark")

_Key = Annotated[
    Path, typer.Option(help="The owner's secret: `reelcheck models keygen --kind aes256` makes it.")
]
_CommitmentFile = Annotated[Path, typer.Option(help="File of `lab watermark commit`.")]
_Trust = Annotated[
    Path | None,
    typer.Option(help="Public key of who signed the commitment; else those that are trusted."),
]


@group.command("embed")
def embed_mark(
    folder: RunFolder,
    key: _Key,
    out: Annotated[Path, typer.Option(help="Folder of the marked training.")],
    epochs: Annotated[int, typer.Option(min=1, help="Of training with the mark.")] = 6,
) -> None:
    """Train a network further so that it carries a mark of 256 bits, and answers secret triggers.

    \b
    reelcheck models keygen --kind aes256 --out owner.key
    reelcheck lab watermark embed runs/first --key owner.key --out runs/marked
    """  # noqa: D301 - \b is typer's mark for text that keeps its lines
    secret = Secret(model_key(key))
    refuse_taken(out)
    plan, trained = load_trained(folder)
    before = predict(trained.network, trained.data.test, batch=plan.training.batch)
    marked = replace(trained, network=copy.deepcopy(trained.network))
    found = embed(plan, marked, secret, epochs=epochs)
    write_marked(marked, out=out)
    told = "" if found.agreement is None else f", {found.agreement:.0%} of the triggers"
    typer.echo(f"{found.bit_errors} of {BITS} bits wrong{told}, after {found.steps} steps")
    evaluation = measured(plan, marked, marked.network)
    typer.echo(f"{out}: {compare(evaluation, before, name=str(folder)).conclusion}")


@group.command("commit")
def commit_to_mark(
    folder: RunFolder,
    key: _Key,
    sign: Annotated[Path, typer.Option(help="Secret key that signs: `reelcheck models keygen`.")],
    out: Annotated[Path, typer.Option(help="File to write, to be published before the model.")],
    release: Annotated[
        list[Path] | None, typer.Option(help="Bundle or file that is released; repeatable.")
    ] = None,
) -> None:
    """Write a signed commitment to a mark: publish it before the model. It tells nothing secret.

    \b
    reelcheck lab watermark commit runs/marked --key owner.key --sign release.pem \\
        --release mine/ --out commitment.json
    """  # noqa: D301 - \b is typer's mark for text that keeps its lines
    secret, signer = Secret(model_key(key)), read_private_key(sign)
    plan, trained = load_trained(folder)
    commitment = committed_to(plan, trained, secret, release=release or ())
    refuse_unmarked(claim(suspect_of(str(folder)), commitment, secret))
    write_commitment(commitment, signer, out)
    typer.echo(f"wrote {out}: {len(commitment.files)} files, signed by {signer.public.key_id[:16]}")


@group.command("claim")
def claim_network(
    model: Annotated[str, typer.Argument(help="A training, a bundle, or a model of the store.")],
    secret: Annotated[Path, typer.Option(help="The owner's secret, that of --key.")],
    commitment: _CommitmentFile,
    trust: _Trust = None,
) -> None:
    """Tell whether a model carries the mark, and how likely that is by chance. Exit 1 if not.

    \b
    reelcheck lab watermark claim theirs/ --secret owner.key --commitment commitment.json
    """  # noqa: D301 - \b is typer's mark for text that keeps its lines
    told, owner = read_commitment(commitment, _trusted(trust))
    found = claim(suspect_of(model), told, Secret(model_key(secret)))
    typer.echo(f"committed         {told.committed} by {owner.key_id[:16]} (the owner's clock)")
    typer.echo(to_text(found))
    if not found.holds:
        raise typer.Exit(1)


@group.command("survive")
def measure_survival(
    folder: RunFolder,
    key: _Key,
    epochs: Annotated[
        int, typer.Option(min=1, help="Of the attacker who writes a mark over it.")
    ] = 6,
) -> None:
    """Measure what is left of a mark after fine-tuning, pruning, int8 and another mark over it."""
    secret = Secret(model_key(key))
    plan, trained = load_trained(folder)
    commitment = committed_to(plan, trained, secret, release=())
    typer.echo(HEAD)
    fresh = fresh_samples(plan, trained)
    for outcome in survive(plan, trained, secret, commitment, fresh=fresh, overwrite_epochs=epochs):
        typer.echo(to_line(outcome))


def _trusted(path: Path | None) -> tuple[PublicKey, ...]:
    return trusted_keys() if path is None else (read_public_key(path),)
