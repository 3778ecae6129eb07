"""Makes the training set of the quality network: clean clips, distorted in known ways.

    python tools/quality_ladders.py SOURCES/index.csv --ffmpeg FFMPEG --out LADDERS
    python tools/quality_labels.py LADDERS --opinions vmaf_to_mos.csv

``SOURCES/index.csv`` names the clips: columns ``file``, ``scene``, ``width``, ``height``, ``fps``,
``frames`` and ``tier``. ``FFMPEG`` is a program with libvmaf, x264, x265, libvpx and SVT-AV1, such
as the one in the package imageio-ffmpeg; it is run as a program and never linked.

Every source is first shrunk, to hide its own compression, to at most 0.75 of its size (0.6 where
it is strongly compressed, tier B), and once more to half of that. Each of these is a reference. It
is distorted by codecs x rates x scaling, by scaling alone, blur, noise, bands, halos, packet loss,
smeared details and mixtures; each result is shown at the size of its reference, because a viewer
sees the picture, not its samples. Three pictures of each are kept, without loss, with what libvmaf
says of them.

Freezes are not made: the network sees single pictures, in which a freeze cannot be seen.
"""

import argparse
import csv
import json
import math
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Final

import av
import numpy as np

_FRAMES: Final = 8
_FRAMES_LARGE: Final = 4
_LARGE_PX: Final = 600
"""Short side from which only four pictures are coded, to save time."""
_KEPT: Final = {_FRAMES: (2, 4, 6), _FRAMES_LARGE: (0, 1, 3)}
_MOST_PX: Final = 1080
_LEAST_PX: Final = 200
_SHRINK: Final = {"A": 0.75, "B": 0.6, "lossless": 1.0}
_CRF: Final = {"h264": (20, 46), "hevc": (20, 46), "vp9": (22, 62), "av1": (24, 62)}
_STILL_CRF: Final = (4, 44)
_HEADER_BYTES: Final = 24
"""Of a slice that stay as they are: without them the decoder loses count of the pictures."""
_CODECS: Final = {
    "h264": "-c:v libx264 -preset medium -threads 1",
    "hevc": "-c:v libx265 -preset medium -x265-params log-level=none:pools=1:frame-threads=1",
    "vp9": "-c:v libvpx-vp9 -deadline good -cpu-used 4 -b:v 0 -threads 1",
    "av1": "-c:v libsvtav1 -preset 8 -svtav1-params lp=1 -threads 1",
    "mpeg4": "-c:v mpeg4 -threads 1",
    "mjpeg": "-c:v mjpeg -color_range pc -threads 1",
}
_QUANTISER: Final = {"mpeg4": (3, 28), "mjpeg": (4, 28)}
"""Codecs of old cameras and files: their scale is a quantiser, not a rate factor."""
_SCALERS: Final = ("bicubic", "bicubic", "bilinear", "lanczos")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One distortion."""

    kind: str
    """What a person would call the cause."""
    before: str = ""
    """Filters before the codec."""
    codec: str = ""
    crf: int = 0
    ratio: float = 1.0
    """Coded size by shown size."""
    scaler: str = "bicubic"
    lost: float = 0.0
    """Share of the coded bytes that are overwritten."""
    intra: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """One distorted clip and what was measured on its three pictures (means)."""

    file: str
    scene: str
    kind: str
    codec: str
    crf: int
    ratio: float
    width: int
    height: int
    moves: bool
    vmaf: float
    """VMAF v0.6.1; meaningless for sources of a few pictures a second."""
    vmaf_still: float
    """The same without its motion feature."""
    vmaf_neg: float
    """The same without gain from enhancement."""
    ssim: float
    """libvmaf's float_ssim, on the picture shrunk to about 256 lines."""
    cambi: float
    """Banding, 0 to 24; -1 where the picture is too small for it."""


def plans(rng: np.random.Generator) -> list[Plan]:
    """Return the distortions of one reference, drawn by chance within strata."""
    made = [Plan(kind="clean")]
    for codec, (low, high) in _CRF.items():
        for third in range(3):
            crf = low + (high - low) * (third + rng.random()) / 3
            ratio = float(rng.choice([1.0, 1.0, 1.0, 0.75, 0.5, 0.35]))
            made.append(_coded(rng, codec, crf, ratio=ratio))
    for part in range(6):
        ratio = math.exp(math.log(0.13) + math.log(0.9 / 0.13) * (part + rng.random()) / 6)
        made.append(_coded(rng, "hevc", float(rng.uniform(*_STILL_CRF)), ratio=ratio, still=True))
    for part in range(2):
        ratio = math.exp(math.log(0.2) + math.log(0.8 / 0.2) * (part + rng.random()) / 2)
        made.append(Plan(kind="scaling", ratio=ratio, scaler=str(rng.choice(_SCALERS))))
    made += [Plan(kind=kind, before=text) for kind, text in _filters(rng)]
    for share in (0.00005, 0.0006):
        lost = share * float(rng.uniform(1, 3))
        made.append(Plan(kind="loss", codec="h264", crf=int(rng.integers(18, 26)), lost=lost))
    blurred = f"gblur={rng.uniform(0.6, 1.6):.2f}"
    noisy = f"noise=alls={rng.integers(6, 20)}:allf=t"
    made.append(Plan(kind="mixed", before=blurred, codec="h264", crf=int(rng.integers(24, 40))))
    made.append(Plan(kind="mixed", before=noisy, codec="hevc", crf=int(rng.integers(22, 38))))
    return [*made, *_cheap_cameras(rng)]


def _cheap_cameras(rng: np.random.Generator) -> Iterator[Plan]:
    """Yield details that noise reduction smeared, alone and then sharpened, and old codecs."""
    for low, high in ((0.05, 0.15), (0.15, 0.5)):
        wide, deep = rng.uniform(3, 9), rng.uniform(low, high)
        yield Plan(kind="smoothing", before=f"bilateral=sigmaS={wide:.1f}:sigmaR={deep:.3f}")
    yield Plan(kind="smoothing", before=f"median=radius={rng.integers(1, 4)}:planes=1")
    for low, high in ((0.35, 0.6), (0.6, 1.0)):
        wide, deep, sharp = rng.uniform(3, 9), rng.uniform(0.05, 0.3), rng.uniform(0.8, 2.5)
        before = f"bilateral=sigmaS={wide:.1f}:sigmaR={deep:.3f},unsharp=7:7:{sharp:.2f}"
        crf, ratio = int(rng.integers(20, 36)), float(rng.uniform(low, high))
        yield Plan(kind="smoothing", before=before, codec="h264", crf=crf, ratio=ratio)
    for codec, (low, high) in _QUANTISER.items():
        ratio = float(rng.choice([1.0, 1.0, 0.75, 0.5]))
        yield _coded(rng, codec, float(rng.uniform(low, high)), ratio=ratio)


def _coded(
    rng: np.random.Generator, codec: str, crf: float, *, ratio: float, still: bool = False
) -> Plan:
    return Plan(
        kind="compression",
        codec=codec,
        crf=round(crf),
        ratio=ratio,
        scaler=str(rng.choice(_SCALERS)),
        intra=still,
    )


def _filters(rng: np.random.Generator) -> Iterator[tuple[str, str]]:
    for low, high in ((0.5, 1.2), (1.2, 2.5), (2.5, 5.0)):
        yield "blur", f"gblur={rng.uniform(low, high):.2f}"
    for low, high in ((5, 12), (12, 25), (25, 50)):
        flag = "t" if rng.random() < 0.7 else "t+u"  # noqa: PLR2004 - mostly Gaussian
        yield "noise", f"noise=c0s={rng.integers(low, high)}:c0f={flag}"
    for low, high in ((6, 10), (10, 20)):
        step = int(rng.integers(low, high))
        yield "banding", f"lutyuv=y='floor(val/{step})*{step}+{step // 2}'"
    for low, high in ((1.0, 2.2), (2.2, 5.0)):
        size = int(rng.choice([3, 5, 7]))
        yield "sharpening", f"unsharp={size}:{size}:{rng.uniform(low, high):.2f}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """One source at one size."""

    path: Path
    scene: str
    group: str
    source: Path
    size_px: tuple[int, int]
    """As the table says, before rotation; see ``as_shown``."""
    short_px: int
    first: int
    frames: int
    moves: bool


def references(index: Path, folder: Path) -> Iterator[Reference]:
    """Yield what is to be distorted, two sizes of every source."""
    with index.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        scene = row["scene"].split(" ")[0]
        width, height = int(row["width"]), int(row["height"])
        top = min(_MOST_PX, _SHRINK[row["tier"]] * min(width, height))
        for number, short in enumerate((top, top / 2)):
            if number and short < _LEAST_PX:
                short = max(_LEAST_PX, top * 0.7)  # noqa: PLW2901 - another size is wanted
            zoom = short / min(width, height)
            wanted = _FRAMES_LARGE if short >= _LARGE_PX else _FRAMES
            frames = int(row["frames"])
            yield Reference(
                path=folder / f"{scene}-{number}.mkv",
                scene=scene,
                group=scene.split("_")[0] if scene.startswith(("toy_", "asl_")) else scene,
                source=index.parent / row["file"],
                size_px=(2 * round(width * zoom / 2), 2 * round(height * zoom / 2)),
                short_px=2 * round(short / 2),
                first=max(0, (frames - wanted) // 2),
                frames=min(wanted, frames),
                moves=float(row["fps"]) >= 15,  # noqa: PLR2004 - README of the data set
            )


class Workshop:
    """Runs FFmpeg."""

    def __init__(self, ffmpeg: str, out: Path) -> None:
        self._ffmpeg = ffmpeg
        self._out = out

    def _run(self, *words: str | Path) -> None:
        command = [self._ffmpeg, "-hide_banner", "-v", "fatal", "-nostdin", "-y", *map(str, words)]
        subprocess.run(command, check=True, timeout=120)  # noqa: S603 - the user's own program

    def reference(self, one: Reference) -> None:
        """Write a shrunk source."""
        short = one.short_px
        last = one.first + one.frames - 1
        chain = (
            f"select='between(n,{one.first},{last})',"
            f"scale='if(gt(iw,ih),-2,{short})':'if(gt(iw,ih),{short},-2)':flags=area,"
            f"setsar=1,setpts=N/25/TB"
        )
        lossless = ("-frames:v", str(one.frames), "-pix_fmt", "yuv420p", "-c:v", "ffv1")
        first = ("-map", "0:v:0")  # phones put a still picture behind it
        self._run(
            "-i", one.source, *first, "-vf", chain, "-fps_mode", "passthrough", *lossless, one.path
        )

    def rung(self, one: Reference, plan: Plan, name: str, seed: int) -> Rung | None:
        """Write and measure a distorted clip; ``None`` where the decoder lost whole pictures."""
        with tempfile.TemporaryDirectory() as folder:
            shown = one.path
            if plan.codec:
                shown = self._encoded(one, plan, Path(folder))
                if plan.lost:
                    damage(shown, share=plan.lost, seed=seed)
            log = Path(folder) / "vmaf.json"
            target = self._out / name
            self._measured(one, plan, shown, log, target)
            frames = json.loads(log.read_text("utf-8"))["frames"]
        if len(frames) != one.frames:
            target.unlink()
            return None
        kept = [frames[number]["metrics"] for number in kept_of(one)]

        def mean(key: str) -> float:
            return round(float(np.mean([metrics.get(key, -1.0) for metrics in kept])), 4)

        return Rung(
            file=name,
            scene=one.group,
            kind=plan.kind,
            codec=plan.codec,
            crf=plan.crf,
            ratio=round(plan.ratio, 4),
            width=one.size_px[0],
            height=one.size_px[1],
            moves=one.moves,
            vmaf=mean("v"),
            vmaf_still=mean("z"),
            vmaf_neg=mean("neg"),
            ssim=mean("float_ssim"),
            cambi=mean("cambi"),
        )

    def _encoded(self, one: Reference, plan: Plan, folder: Path) -> Path:
        width, height = (max(32, 2 * round(side * plan.ratio / 2)) for side in one.size_px)
        steps = [plan.before] if plan.before else []
        if plan.ratio < 1:
            steps.append(f"scale={width}:{height}:flags=area")
        scale = "-crf"
        if plan.codec in _QUANTISER:
            scale = "-q:v"
            steps.append("setpts=N/25/TB,fps=25")  # they count in whole frames
        words = [*_CODECS[plan.codec].split(), scale, str(plan.crf)]
        words += ["-g", "1"] if plan.intra else []
        words += ["-x264-params", "slices=6:bframes=0"] if plan.lost else []
        path = folder / ("coded.h264" if plan.lost else "coded.mkv")
        chain = ["-vf", ",".join(steps)] if steps else []
        self._run("-i", one.path, *chain, "-fps_mode", "passthrough", *words, path)
        return path

    def _measured(self, one: Reference, plan: Plan, shown: Path, log: Path, target: Path) -> None:
        width, height = one.size_px
        steps = [plan.before] if plan.before and not plan.codec else []
        if plan.ratio < 1:
            if not plan.codec:
                small = (max(16, 2 * round(side * plan.ratio / 2)) for side in one.size_px)
                steps.append(f"scale={':'.join(map(str, small))}:flags=area")
            steps.append(f"scale={width}:{height}:flags={plan.scaler}")
        models = "|".join(
            f"version={version}\\:name={name}{more}"
            for version, name, more in (
                ("vmaf_v0.6.1", "v", ""),
                ("vmaf_v0.6.1", "z", "\\:motion.motion_force_zero=true"),
                ("vmaf_v0.6.1neg", "neg", ""),
            )
        )
        features = "name=float_ssim"
        if plan.kind in {"banding", "clean"} and min(one.size_px) >= 216:  # noqa: PLR2004 - of CAMBI
            features += "|name=cambi"
        chosen = "+".join(f"eq(n,{number})" for number in kept_of(one))
        graph = (
            f"[0:v]{','.join([*steps, 'format=yuv420p', 'setpts=N/25/TB'])},split[a][b];"
            f"[1:v]setpts=N/25/TB[r];"
            f"[a][r]libvmaf=n_threads=1:log_fmt=json:log_path={log}:model='{models}'"
            f":feature='{features}'[x];[b]select='{chosen}',setpts=N/4/TB[o]"
        )
        kept = ("-fps_mode", "passthrough", "-c:v", "ffv1", target)
        null = ("-map", "[x]", "-f", "null", "-")
        self._run(
            "-i", shown, "-i", one.path, "-filter_complex", graph, *null, "-map", "[o]", *kept
        )


def as_shown(one: Reference) -> Reference:
    """Return a reference with the size that it has after rotation."""
    with av.open(str(one.path)) as container:
        stream = container.streams.video[0]
        return replace(one, size_px=(stream.width, stream.height))


def kept_of(one: Reference) -> tuple[int, ...]:
    """Return which pictures of a reference are kept."""
    found = _KEPT.get(one.frames)
    return found or tuple(one.frames * part // 4 for part in (1, 2, 3))


def damage(path: Path, *, share: float, seed: int) -> None:
    """Overwrite bytes of a raw H.264 stream, after its first picture, without new start codes."""
    rng = np.random.default_rng(seed)
    content = np.frombuffer(path.read_bytes(), dtype=np.uint8).copy()
    starts = np.flatnonzero((content[:-2] == 0) & (content[1:-1] == 0) & (content[2:] == 1))
    count = max(1, round(len(content) * share))
    for place in rng.integers(len(content) // 5, len(content) - 4, count):
        since = place - starts[max(0, np.searchsorted(starts, place) - 1)]
        if since >= _HEADER_BYTES and content[place - 2 : place + 3].all():
            content[place] = rng.integers(16, 255)
    path.write_bytes(content.tobytes())


def main() -> None:
    """Make all rungs; what is there already is kept, so an interrupted run can go on."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("index", type=Path)
    parser.add_argument("--ffmpeg", default="ffmpeg")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=1)
    given = parser.parse_args()
    (given.out / "references").mkdir(parents=True, exist_ok=True)
    (given.out / "clips").mkdir(exist_ok=True)
    table = given.out / "ladders.csv"
    done = set[str]()
    if table.is_file():
        with table.open(encoding="utf-8") as file:
            done = {row["file"] for row in csv.DictReader(file)}
    workshop = Workshop(given.ffmpeg, given.out)
    jobs = list(references(given.index, given.out / "references"))
    with (
        table.open("a", newline="", encoding="utf-8") as file,
        ThreadPoolExecutor(given.workers) as pool,
    ):
        writer = csv.DictWriter(file, [field.name for field in fields(Rung)])
        if not done:
            writer.writeheader()
        for number, job in enumerate(jobs):
            if not job.path.is_file():
                workshop.reference(job)
            job = as_shown(job)  # noqa: PLW2901 - it is known only now
            drawn = plans(np.random.default_rng([given.seed, number]))
            # The smaller size of a source gets every other distortion, and so do large pictures.
            step = 2 if number % 2 or min(job.size_px) >= _LARGE_PX else 1
            wanted = [
                (plan, f"clips/{job.path.stem}-{place:02d}.mkv", number * 100 + place)
                for place, plan in list(enumerate(drawn))[::step]
                if f"clips/{job.path.stem}-{place:02d}.mkv" not in done
            ]
            made = pool.map(lambda one, job=job: workshop.rung(job, *one), wanted)
            writer.writerows(asdict(rung) for rung in made if rung)
            file.flush()
            print(f"{number + 1} of {len(jobs)}: {job.path.stem}, {len(wanted)} clips")


if __name__ == "__main__":
    main()
