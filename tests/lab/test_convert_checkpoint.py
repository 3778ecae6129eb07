"""What ``reelcheck models convert`` writes is what PyTorch reads."""

from pathlib import Path

import pytest
import torch

from reelcheck.lab.networks.images_weights import read_weights
from reelcheck.lab.networks.small import build_resnet8
from reelcheck.models.protect.converting import convert

KINDS = ["float64", "float32", "float16", "bfloat16", "int64", "int32", "uint8"]


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "before 1.6"])
def test_every_kind_of_number_is_kept(tmp_path: Path, *, zipped: bool) -> None:
    base = torch.arange(24).reshape(4, 6)
    state = {name: base.to(getattr(torch, name)) for name in KINDS}
    state |= {"view": base.t()[1:, ::2].float(), "none": torch.zeros(0, 3)}
    state |= {"shared": state["float32"], "parameter": torch.nn.Parameter(torch.ones(2))}
    path, out = tmp_path / "a.pth", tmp_path / "a.safetensors"
    torch.save({"epoch": 3, "state_dict": state}, path, _use_new_zipfile_serialization=zipped)

    done = convert(path, out)

    assert done.tensors == len(state)
    assert done.left_out == 1
    read = read_weights(out)
    assert set(read) == set(state)
    for name, value in state.items():
        assert torch.equal(read[name], value), name
        assert read[name].dtype == value.dtype


def test_a_network_starts_from_a_converted_checkpoint(tmp_path: Path) -> None:
    torch.manual_seed(1)
    trained = build_resnet8(outputs=4).body
    path, out = tmp_path / "r.pth", tmp_path / "r.safetensors"
    torch.save(trained.state_dict(), path)

    convert(path, out)

    assert all(
        torch.equal(one, read_weights(out)[name]) for name, one in trained.state_dict().items()
    )
    build_resnet8(outputs=4, weights_file=str(out))
