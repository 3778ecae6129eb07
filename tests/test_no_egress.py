"""Nothing that a file or its name says makes reelcheck open another file or a connection."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from bad_input_case import valid
from reelcheck.errors import ReelcheckError
from reelcheck.pipeline import watch
from reelcheck.verdict.build import unjudged
from reelcheck.verdict.report import canonical_json

MARK = "CANARY-7f3a9c"


class Canary:
    """A listener on loopback that counts who knocks."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._socket.settimeout(0.2)
        self.port = self._socket.getsockname()[1]
        self.hits = 0
        self._on = True
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    def _listen(self) -> None:
        while self._on:
            try:
                end, _ = self._socket.accept()
            except TimeoutError:
                continue
            self.hits += 1
            end.close()

    def stop(self) -> None:
        self._on = False
        self._thread.join()
        self._socket.close()


@pytest.fixture
def canary() -> Iterator[Canary]:
    one = Canary()
    yield one
    one.stop()


def hostile_texts(port: int, secret: Path) -> dict[str, bytes]:
    url = f"http://127.0.0.1:{port}/x.ts"
    hls = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{}\n#EXT-X-ENDLIST\n"
    texts = {
        "a.m3u8": hls.format(url),
        "b.m3u8": hls.format(f"file://{secret}"),
        "c.mp4": hls.format(url),
        "d.ffconcat": f"ffconcat version 1.0\nfile {secret.name}\n",
        "e.mkv": f"ffconcat version 1.0\nfile {url}\n",
        "f.sdp": f"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nm=video {port} RTP/AVP 96\n",
        "g.mpd": f"<?xml version='1.0'?><MPD><BaseURL>{url}</BaseURL></MPD>",
        "h.txt": MARK,
        "i.pls": f"[playlist]\nFile1={url}\n",
        "j.asx": f"<asx><ref href='{url}'/></asx>",
    }
    return {name: text.encode() for name, text in texts.items()}


def test_playlists_and_references_are_refused_without_a_knock(
    tmp_path: Path, canary: Canary
) -> None:
    secret = tmp_path / "secret.mkv"
    secret.write_bytes(valid("mkv"))
    for name, data in hostile_texts(canary.port, secret).items():
        path = tmp_path / name
        path.write_bytes(data)
        with pytest.raises(ReelcheckError) as refusal:
            watch(path, only=["flashes"])
        assert refusal.value.code in {"E_FORMAT_NOT_ALLOWED", "E_NETWORK_REFERENCE"}, name

    assert canary.hits == 0


@pytest.mark.parametrize(
    "name",
    [
        "http:127.0.0.1:{port}",
        "concat:secret.mkv|x.mp4",
        "subfile,,start,0,end,9,,:secret.mkv",
        "im%d.mp4",
        "fd:0",
        "pipe:0",
        "-i.mp4",
        "data:video,x",
    ],
)
def test_a_name_is_only_a_name(name: str, tmp_path: Path, canary: Canary) -> None:
    (tmp_path / "secret.mkv").write_bytes(valid("mkv") + MARK.encode())
    path = tmp_path / name.format(port=canary.port)
    path.write_bytes(valid("mp4"))

    timeline = watch(path, only=["flashes"])

    assert timeline.source.container == "mp4"
    assert timeline.coverage.decoded_ratio == 1
    assert MARK.encode() not in canonical_json(unjudged(timeline), timings="drop")
    assert canary.hits == 0
