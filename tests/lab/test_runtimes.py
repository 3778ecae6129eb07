"""One small network on all four runtimes: the same numbers everywhere, in and out of the gate."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

import reelcheck
from reelcheck.errors import ModelError
from reelcheck.lab.data.sources import open_data
from reelcheck.lab.engine.run import Trained
from reelcheck.lab.export.bundle import export_bundle
from reelcheck.lab.export.cards import to_toml
from reelcheck.lab.recipe import Recipe
from reelcheck.media import guard
from reelcheck.media.synth import write_scenes
from reelcheck.models.card import Card, parse_card
from reelcheck.models.protect.probes import PROBES_FILE
from reelcheck.models.session import Runner, open_session
from reelcheck.models.store import add_bundle
from serving_rest import serve

pytest.importorskip("tensorflow")
pytest.importorskip("cv2")

RECIPE = Recipe.model_validate(
    {
        "name": "small",
        "data": {"task": "motion-classes", "train_count": 7, "test_count": 7, "clip_seconds": 0.5},
        "input": {"frames": 1, "size_px": [24, 20]},
        "network": {"name": "single"},
    }
)
RUNTIMES = ("onnx", "savedmodel", "caffe", "serving")
PARITY = 1e-4


class Small(nn.Module):
    """Every kind of layer that all runtimes know, for clips of one picture."""

    kind = "clip"

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU6()
        )
        self.deep = nn.Conv2d(8, 16, 3, 1, 1, groups=8)
        self.point = nn.Sequential(nn.ReLU(), nn.Conv2d(16, 8, 1))
        self.pool = nn.MaxPool2d(3, 2, 1)
        self.head = nn.Linear(8, 7)

    def forward(self, clips: Tensor) -> Tensor:
        x = self.stem(clips.flatten(0, 1))
        x = self.pool(x + self.point(self.deep(x))).mean(dim=(2, 3))
        told: Tensor = self.head(x).reshape(*clips.shape[:2], -1).mean(dim=1)
        return told


@dataclass(frozen=True, kw_only=True)
class Exported:
    """The network, and its card and folder for every runtime."""

    network: nn.Module
    cards: dict[str, Card]
    folders: dict[str, Path]

    def session(self, runtime: str) -> Runner:
        return open_session(self.cards[runtime], folder=self.folders.get(runtime))


def used() -> nn.Module:
    """Return the network as it is after some training: its running statistics fit."""
    torch.manual_seed(0)
    network = Small()
    with torch.no_grad():
        for _ in range(20):
            network(2 * torch.randn(8, 1, 3, 20, 24) + 0.5)
    return network.eval()


@contextmanager
def behind_rest(bundle: Path) -> Iterator[Card]:
    """Give the card of a remote model: the real SavedModel of a bundle, behind the REST API."""
    text = (bundle / "card.toml").read_text()
    local = open_session(parse_card(text, where="x"), folder=bundle)

    def compute(inputs: Mapping[str, NDArray[np.float32]]) -> dict[str, NDArray[np.float32]]:
        return {"logits": local.run(inputs["clip"])}

    with serve(compute, name="small", inputs=("clip",)) as url:
        start, _, rest = text.partition("sha256 = ")
        rest = rest.partition("\n")[2].replace('[weights]\nfile = "1"\n', "")
        remote = start.replace('runtime = "savedmodel"', f'runtime = "serving"\nurl = "{url}"')
        yield parse_card(remote.replace("small_savedmodel", "small_serving") + rest, where="x")


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exported]:
    folder = tmp_path_factory.mktemp("exported")
    network = used()
    trained = Trained(folder=folder, network=network, data=open_data(RECIPE), seconds=0.0)
    folders = {
        name: export_bundle(
            RECIPE,
            trained,
            figures={"top1": "made up"},
            licence="Apache-2.0",
            out=folder / f"small_{name}",
            format=name,
        )
        for name in ("onnx", "savedmodel", "caffe")
    }
    cards = {
        name: parse_card((one / "card.toml").read_text(), where=name)
        for name, one in folders.items()
    }
    with ExitStack() as stack:
        cards["serving"] = stack.enter_context(behind_rest(folders["savedmodel"]))
        yield Exported(network=network, cards=cards, folders=folders)


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_every_runtime_gives_the_numbers_of_pytorch(
    runtime: str, count: int, exported: Exported
) -> None:
    clips = torch.randn(count, 1, 3, 20, 24)
    with torch.inference_mode():
        expected = exported.network(clips).numpy()

    told = exported.session(runtime).run(clips.numpy())

    assert told.dtype == np.float32
    assert told.shape == expected.shape
    assert np.abs(told - expected).max() <= PARITY
    assert expected.std() > 100 * PARITY


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_no_sample_changes_the_result_of_another(runtime: str, exported: Exported) -> None:
    clips = torch.randn(3, 1, 3, 20, 24).numpy()
    session = exported.session(runtime)

    together = session.run(clips)

    assert together[1:2] == pytest.approx(session.run(clips[1:2]), abs=1e-5)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_the_card_says_the_same_on_every_runtime(runtime: str, exported: Exported) -> None:
    card, plain = exported.cards[runtime], exported.cards["onnx"]

    assert card.runtime == runtime
    assert (card.input, card.output, card.training) == (plain.input, plain.output, plain.training)
    assert bool(card.sha256) == (runtime != "serving")


@pytest.mark.parametrize("runtime", ["onnx", "savedmodel", "caffe"])
def test_one_changed_byte_anywhere_is_refused(runtime: str, exported: Exported) -> None:
    card, folder = exported.cards[runtime], exported.folders[runtime]
    names = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]
    for name in names:
        if name.name in {"card.toml", PROBES_FILE}:  # no session reads these
            continue
        path = folder / name
        whole = path.read_bytes()
        path.write_bytes(whole[:9] + bytes([whole[9] ^ 1]) + whole[10:])
        try:
            with pytest.raises(ModelError) as refusal:
                open_session(card, folder=folder)
        finally:
            path.write_bytes(whole)
        assert refusal.value.code == "E_MODEL_INTEGRITY"


@pytest.mark.parametrize("runtime", ["savedmodel", "caffe"])
def test_files_that_are_no_model_are_one_clear_line(
    runtime: str, exported: Exported, tmp_path: Path
) -> None:
    card = exported.cards[runtime].model_copy(update={"sha256": ""})
    for name in ("1/saved_model.pb", "model.prototxt", "model.caffemodel"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"layer { nonsense")

    with pytest.raises(ModelError, match="cannot load model") as refusal:
        open_session(card, folder=tmp_path)

    assert "\n" not in str(refusal.value)


def add_remote(card: Card, folder: Path) -> None:
    """Add a card alone, as a user would write it."""
    folder.mkdir()
    values = card.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
    (folder / "card.toml").write_text(to_toml(values))
    add_bundle(folder)


def test_a_video_is_watched_alike_on_every_runtime(
    exported: Exported, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REELCHECK_MODELS", str(tmp_path / "store"))
    for folder in exported.folders.values():
        add_bundle(folder)
    add_remote(exported.cards["serving"], tmp_path / "remote")
    video = write_scenes(tmp_path / "clip.mkv", [((200, 40, 40), 1.0), ((40, 40, 200), 1.0)])
    guard.stop_server()  # the child learns of the store when it starts

    report = reelcheck.analyze(video, only=[f"small_{name}" for name in RUNTIMES])

    assert not report.failures
    assert {use.name for use in report.models} == {f"small_{name}" for name in RUNTIMES}
    labels = exported.cards["onnx"].output.labels

    def values(runtime: str) -> NDArray[np.float64]:
        signals = (report.signals[f"small_{runtime}.{label}"] for label in labels)
        return np.array([signal.values for signal in signals], dtype=np.float64)

    assert values("onnx").std(axis=1).max() > 0.001
    for name in RUNTIMES:
        assert np.abs(values(name) - values("onnx")).max() <= 2e-4  # rounded to four decimals


def test_a_server_that_went_away_fails_one_analyzer_and_leaves_the_others(
    exported: Exported, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REELCHECK_MODELS", str(tmp_path / "store"))
    add_bundle(exported.folders["onnx"])
    gone = exported.cards["serving"].model_copy(
        update={"url": "http://127.0.0.1:9/v1/models/small"}
    )
    add_remote(gone, tmp_path / "remote")
    video = write_scenes(tmp_path / "clip.mkv", [((200, 40, 40), 1.0)])
    guard.stop_server()

    report = reelcheck.analyze(video, only=["small_onnx", "small_serving"])

    (failure,) = report.failures
    assert failure.analyzer == "small_serving"
    assert "refused" in failure.message
    assert any(name.startswith("small_onnx.") for name in report.signals)
