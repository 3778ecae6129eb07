"""``reelcheck models convert``."""

from pathlib import Path

from reelcheck.models.protect.converting import convert


def convert_checkpoint(path: Path, out: Path) -> str:
    """Write a PyTorch checkpoint as safetensors; return what was written."""
    done = convert(path, out)
    beside = f"; {done.left_out} other values left out" if done.left_out else ""
    return (
        f"wrote {out}: {done.tensors} tensors, {done.size_bytes:,} bytes, "
        f"sha256 {done.sha256}{beside}"
    )
