"""From a trained network to a claim: embed, commit, claim, and what does not pass for a claim."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import pytest
from typer.testing import CliRunner

pytest.importorskip("cryptography")

from reelcheck.cli.app import app as reelcheck
from reelcheck.errors import InputError, ModelError, SettingError
from reelcheck.lab.commands import app
from reelcheck.lab.engine.run import load_trained, train
from reelcheck.lab.export.bundle import export_bundle
from reelcheck.lab.export.int8 import export_int8
from reelcheck.lab.recipe import Recipe
from reelcheck.lab.watermark.claiming import Claim, claim
from reelcheck.lab.watermark.commitment import Commitment, read_commitment
from reelcheck.lab.watermark.secret import Secret
from reelcheck.lab.watermark.suspects import suspect_of
from reelcheck.lab.watermark.weights import fitting
from reelcheck.models.protect.keys import read_public_key, write_keys

PLAN = Recipe.model_validate(
    {
        "name": "marked",
        "seed": 2,
        "data": {
            "task": "shapes-classes",
            "train_count": 64,
            "test_count": 24,
            "difficulty": 0.1,
        },
        "input": {"frames": 1, "size_px": (32, 32)},
        "network": {"name": "resnet8", "options": {"width": 16, "stride": 16}},
        "training": {"epochs": 2, "batch": 16, "rate": 3e-3},
    }
)
"""Too few pictures to learn from: what is tested is the mark, not the task."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """What an owner has after release."""

    plain: Path
    marked: Path
    bundle: Path
    key: Path
    signer: Path
    commitment: Path

    def told(self) -> Commitment:
        return read_commitment(self.commitment, [read_public_key(self.trust)])[0]

    @property
    def trust(self) -> Path:
        return self.signer.with_name(f"{self.signer.name}.pub")

    @property
    def secret(self) -> Secret:
        return Secret(bytes.fromhex(self.key.read_text().strip()))

    def claim(self, place: Path) -> Claim:
        return claim(suspect_of(str(place)), self.told(), self.secret)


def run(*words: str | Path) -> str:
    """Run a command of the lab."""
    done = CliRunner().invoke(app, [str(word) for word in words])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.output


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    folder = tmp_path_factory.mktemp("owner")
    made = Case(
        plain=folder / "plain",
        marked=folder / "marked",
        bundle=folder / "released",
        key=folder / "owner.key",
        signer=folder / "release.pem",
        commitment=folder / "commitment.json",
    )
    train(PLAN, out=made.plain)
    write_keys(made.key, kind="aes256")
    write_keys(made.signer, kind="ed25519")
    run("watermark", "embed", made.plain, "--key", made.key, "--out", made.marked, "--epochs", "28")
    plan, trained = load_trained(made.marked)
    export_bundle(plan, trained, figures={}, licence="proprietary", out=made.bundle)
    run(
        *("watermark", "commit", made.marked, "--key", made.key, "--sign", made.signer),
        *("--release", made.bundle, "--out", made.commitment),
    )
    return made


def test_a_marked_network_is_claimed_with_no_bit_wrong(case: Case) -> None:
    found = case.claim(case.marked)

    assert found.bit_errors == 0
    assert found.agreed is not None
    assert found.agreed >= 95
    assert found.p < 1e-60


def test_what_it_was_trained_from_is_not_claimed(case: Case) -> None:
    found = case.claim(case.plain)

    assert not found.holds
    assert found.bit_errors is not None
    assert 80 < found.bit_errors < 176


def test_an_exported_bundle_whose_norms_are_folded_into_the_weights_is_claimed(case: Case) -> None:
    kinds = {node.op_type for node in onnx.load(case.bundle / "model.onnx").graph.node}
    shape = case.told().shape
    tables = [fitting(suspect_of(str(one)).tables, shape) for one in (case.marked, case.bundle)]
    trained, folded = (next(iter(one.values())) for one in tables)

    found = case.claim(case.bundle)

    assert "BatchNormalization" not in kinds
    assert not np.allclose(trained, folded, rtol=0.01)
    assert found.bit_errors == 0
    assert found.agreed == case.claim(case.marked).agreed


def test_a_bundle_of_8_bit_integers_is_claimed(case: Case, tmp_path: Path) -> None:
    plan, trained = load_trained(case.marked)
    export_int8(plan, trained, case.bundle, out=tmp_path / "small")

    found = case.claim(tmp_path / "small")

    assert found.bit_errors == 0
    assert found.agreed is not None
    assert found.agreed >= 90


def test_the_command_tells_both_p_values_and_the_owner(case: Case) -> None:
    words = ("--secret", case.key, "--commitment", case.commitment, "--trust", case.trust)

    assert "the mark is there" in run("watermark", "claim", case.bundle, *words)
    done = CliRunner().invoke(app, ["watermark", "claim", str(case.plain), *map(str, words)])
    assert done.exit_code == 1
    assert "no claim can be made" in done.output


def test_a_commitment_tells_nothing_of_the_secret(case: Case) -> None:
    text = case.commitment.read_text()

    assert case.key.read_text().strip() not in text
    assert "conv" not in text
    assert "released/model.onnx" in text


def test_a_commitment_to_a_mark_that_is_not_there_is_refused(case: Case, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="does not carry the mark"):
        run(
            *("watermark", "commit", case.plain, "--key", case.key, "--sign", case.signer),
            *("--out", tmp_path / "c.json"),
        )


@pytest.mark.parametrize("part", ["files", "secret_sha256", "shape", "committed"])
def test_a_changed_commitment_is_refused(case: Case, part: str, tmp_path: Path) -> None:
    whole = json.loads(case.commitment.read_text())
    changed = {"files": {}, "secret_sha256": "0" * 64, "shape": [1, 2], "committed": "2020"}
    whole["commitment"][part] = changed[part]
    path = tmp_path / "c.json"
    path.write_text(json.dumps(whole))

    with pytest.raises(ModelError, match="was changed"):
        read_commitment(path, [read_public_key(case.trust)])


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", '{"commitment": 3}', "\x00", '{"commitment": {}}']
)
def test_what_is_no_commitment_is_refused(case: Case, text: str, tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    path.write_text(text)

    with pytest.raises(ModelError, match="no commitment, or damaged"):
        read_commitment(path, [read_public_key(case.trust)])


def test_a_commitment_of_a_stranger_and_a_missing_one_are_refused(
    case: Case, tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match="unknown key"):
        read_commitment(case.commitment, [])
    with pytest.raises(InputError):
        read_commitment(tmp_path / "none.json", [])


def test_a_key_chosen_afterwards_is_refused(case: Case) -> None:
    with pytest.raises(ModelError, match="not the one"):
        claim(suspect_of(str(case.marked)), case.told(), Secret(os.urandom(32)))


def test_an_earlier_training_is_not_overwritten(case: Case) -> None:
    with pytest.raises(SettingError, match="already"):
        run("watermark", "embed", case.plain, "--key", case.key, "--out", case.marked)


def test_a_place_that_is_no_model_is_refused() -> None:
    with pytest.raises(SettingError, match="no training, no bundle and no model"):
        suspect_of("nowhere")


def test_a_wrong_key_file_ends_with_a_line_and_no_traceback(case: Case, tmp_path: Path) -> None:
    bad = tmp_path / "bad.key"
    bad.write_text("no key")
    bad.chmod(0o600)

    done = CliRunner().invoke(
        reelcheck,
        ["lab", "watermark", "embed", str(case.plain), "--key", str(bad), "--out", "x"],
    )

    assert done.exit_code == 3
    assert "no key of 64 hexadecimal digits" in done.output
    assert "Traceback" not in done.output
