"""A claim: is a suspect ours, and how likely would it look so by chance?"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from reelcheck.errors import SettingError
from reelcheck.lab.watermark.chance import bits_p, joined, trigger_p
from reelcheck.lab.watermark.commitment import Commitment
from reelcheck.lab.watermark.secret import BITS, TRIGGERS, Secret
from reelcheck.lab.watermark.suspects import Suspect
from reelcheck.lab.watermark.weights import bit_errors, fitting

CLAIMED: Final = 1e-9
"""A claim is made below this p-value: seed-systems 5.2."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What was found in a suspect."""

    suspect: str
    bit_errors: int | None
    """Of 256, in the table that fits best; ``None`` where no table of that shape can be read."""
    tables: int
    """Tables of the shape of the marked layer."""
    bits_p: float | None
    agreed: int | None
    """Triggers of 100 told as drawn; ``None`` where the suspect cannot be asked."""
    triggers_p: float | None
    p: float
    """Of both together; 1 where nothing could be looked at."""

    @property
    def holds(self) -> bool:
        """Whether chance does not explain what was found."""
        return self.p < CLAIMED


def claim(suspect: Suspect, commitment: Commitment, secret: Secret) -> Claim:
    """Look for the mark of a commitment in a suspect.

    Raises:
        ModelError: the key is not the one that was committed to.
        SettingError: there is nothing in the suspect that could be looked at.
    """
    commitment.refuse_other(secret)
    tables = fitting(suspect.tables, commitment.shape)
    errors = min((bit_errors(one, secret) for one in tables.values()), default=None)
    by_bits = None if errors is None else bits_p(BITS, errors, tries=len(tables))
    agreed, by_triggers = _asked(suspect, commitment, secret)
    values = [one for one in (by_bits, by_triggers) if one is not None]
    if not values:
        shape = " x ".join(str(side) for side in commitment.shape)
        raise SettingError(
            f"{suspect.name} cannot be judged: it has no weights of {shape} that can be read, and "
            "no answers to the triggers"
        )
    return Claim(
        suspect=suspect.name,
        bit_errors=errors,
        tables=len(tables),
        bits_p=by_bits,
        agreed=agreed,
        triggers_p=by_triggers,
        p=joined(values),
    )


def _asked(
    suspect: Suspect, commitment: Commitment, secret: Secret
) -> tuple[int | None, float | None]:
    """Return how many triggers agree, and the p-value of that."""
    classes = commitment.classes
    if suspect.tell is None or not commitment.frames or not set(suspect.classes) & set(classes):
        return None, None
    told = suspect.tell(secret.triggers(commitment.frames, commitment.size_px))
    # By name, not by place: a thief may have put the classes in another order.
    places = [classes.index(one) if one in classes else -1 for one in suspect.classes]
    said = np.array([places[one] for one in told.tolist()], dtype=np.int64)
    drawn = secret.answers(len(classes))
    return int(np.sum(said == drawn)), trigger_p(said, drawn, classes=len(classes))


def to_text(found: Claim) -> str:
    """Return a claim for a terminal."""
    lines = [f"suspect           {found.suspect}"]
    if found.bit_errors is None:
        lines.append("bits              no weights of that shape can be read")
    else:
        of = "" if found.tables == 1 else f", best of {found.tables} layers of that shape"
        lines.append(f"bits              {found.bit_errors} of {BITS} wrong{of}")
        lines.append(f"  p by chance     {found.bits_p:.2g}")
    if found.agreed is None:
        lines.append("triggers          the suspect cannot be asked")
    else:
        lines.append(f"triggers          {found.agreed} of {TRIGGERS} answered as drawn")
        lines.append(f"  p by chance     {found.triggers_p:.2g}")
    verdict = "the mark is there" if found.holds else "no claim can be made"
    lines.append(f"together          p {found.p:.2g}: {verdict} (limit {CLAIMED:g})")
    return "\n".join(lines)


def refuse_unmarked(found: Claim) -> None:
    """Refuse to commit to a mark that is not there.

    Raises:
        SettingError: it is not.
    """
    if not found.holds:
        raise SettingError(
            f"{found.suspect} does not carry the mark of this key",
            hint="reelcheck lab watermark embed makes a network that does",
        )
