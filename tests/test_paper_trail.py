"""A report tells whether it is as it was made: any change of any value is refused and named."""

import json
import math
import random
import struct
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bad_input_case import valid
from reelcheck.errors import ReportError
from reelcheck.exporters.json import JsonExporter
from reelcheck.media.versions import LIBRARY_FLOORS, too_old
from reelcheck.models.protect.keys import PrivateKey, read_private_key, write_keys
from reelcheck.verdict.canonical import canonical
from reelcheck.verdict.judge import judge, rejudge
from reelcheck.verdict.report import Report, parse_report
from reelcheck.verdict.sealing import check_report, sealed
from sample_policy import OPEN as POLICY
from sample_timeline import realistic_timeline


@pytest.fixture(scope="module", params=["ed25519", "p256"])
def key(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> PrivateKey:
    path = tmp_path_factory.mktemp("keys") / "key.pem"
    write_keys(path, kind=request.param)
    return read_private_key(path)


@pytest.fixture(scope="module")
def report() -> Report:
    return judge(realistic_timeline(), POLICY)


@pytest.fixture(scope="module")
def data(report: Report, key: PrivateKey) -> bytes:
    return JsonExporter().render(sealed(report, key))


def test_a_report_that_nobody_touched_is_intact(data: bytes, key: PrivateKey) -> None:
    checked = check_report(data, [key.public])

    assert (checked.state, checked.changes) == ("intact", ())
    assert checked.key_id == key.public.key_id


def shuffled(value: Any, chance: random.Random) -> Any:  # noqa: ANN401 - what JSON can hold
    if isinstance(value, dict):
        keys = list(value)
        chance.shuffle(keys)
        return {name: shuffled(value[name], chance) for name in keys}
    return [shuffled(one, chance) for one in value] if isinstance(value, list) else value


@pytest.mark.parametrize("indent", [None, 0, 7])
@pytest.mark.parametrize("ascii_only", [True, False])
def test_spaces_the_order_of_keys_and_escapes_do_not_count(
    data: bytes, key: PrivateKey, indent: int | None, *, ascii_only: bool
) -> None:
    mixed = shuffled(json.loads(data), random.Random(indent))
    again = json.dumps(mixed, indent=indent, ensure_ascii=ascii_only).encode()

    assert again != data
    assert check_report(again, [key.public]).state == "intact"
    assert check_report(canonical(mixed), [key.public]).state == "intact"


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:  # noqa: ANN401 - what JSON can hold
    yield path
    items: Any = value.items() if isinstance(value, dict) else ()
    items = enumerate(value) if isinstance(value, list) else items
    for name, inside in items:
        yield from leaves(inside, (*path, name))


def other(value: Any, chance: random.Random) -> Any:  # noqa: ANN401, PLR0911 - what JSON can hold
    """Return another value, near to this one where one can be near."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + chance.choice([-1, 1, 1 << 40])
    if isinstance(value, float):
        return chance.choice([math.nextafter(value, math.inf), -value - 1, value + 0.000001])
    if isinstance(value, str):
        at = chance.randrange(len(value) + 1)
        return chance.choice([value[:at] + "x" + value[at:], value + " ", value[:at] + "\u202e"])
    if isinstance(value, list):
        return chance.choice([[*value, None], value[1:] if value else [0]])
    if isinstance(value, dict):
        return {**value, "more": 1}
    return 0


def changed(content: Any, path: tuple[Any, ...], chance: random.Random) -> Any:  # noqa: ANN401 - what JSON can hold
    if not path:
        return other(content, chance)
    copy = dict(content) if isinstance(content, dict) else list(content)
    copy[path[0]] = changed(copy[path[0]], path[1:], chance)
    return copy


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_any_change_of_any_value_is_refused(seed: int, data: bytes, key: PrivateKey) -> None:
    chance, content = random.Random(seed), json.loads(data)
    path = chance.choice(list(leaves(content)))
    altered = changed(content, path, chance)
    if canonical(altered) == canonical(content):
        return

    checked = check_report(json.dumps(altered).encode(), [key.public])

    assert checked.state != "intact", path
    if path and path[0] != "seal":
        assert checked.state == "altered"
        assert any(change.startswith(str(path[0])) for change in checked.changes)


def test_every_single_value_of_a_report_is_covered(data: bytes, key: PrivateKey) -> None:
    content, chance = json.loads(data), random.Random(4)
    paths = list(leaves(content))
    chance.shuffle(paths)

    missed = [
        path
        for path in paths[:400]
        if check_report(json.dumps(changed(content, path, chance)).encode(), [key.public]).state
        == "intact"
    ]

    assert not missed


@pytest.mark.parametrize("flips", range(3))
def test_flipped_bits_are_never_intact_unless_they_change_nothing(
    data: bytes, key: PrivateKey, flips: int
) -> None:
    chance, before = random.Random(flips), canonical(json.loads(data))
    for _ in range(100):
        copy = bytearray(data)
        copy[chance.randrange(len(copy))] ^= 1 << chance.randrange(8)
        try:
            state = check_report(bytes(copy), [key.public]).state
        except ReportError:
            continue
        if state == "intact":
            assert canonical(json.loads(copy)) == before


def test_the_culprit_is_named_one_level_deep(data: bytes, key: PrivateKey) -> None:
    content = json.loads(data)
    content["verdict"]["decision"] = "PASS"
    del content["video"]["sha256"]
    content["signals"]["made.up"] = {}

    checked = check_report(json.dumps(content).encode(), [key.public])

    assert set(checked.changes) >= {
        "verdict.decision was changed",
        "video.sha256 was taken away",
        "signals.made.up was added",
    }


def test_a_signature_by_another_key_is_a_strangers(
    report: Report, key: PrivateKey, tmp_path: Path
) -> None:
    write_keys(tmp_path / "other.pem", kind="ed25519")
    stranger = read_private_key(tmp_path / "other.pem")
    forged = JsonExporter().render(sealed(report, stranger))

    assert check_report(forged, [key.public]).state == "stranger"
    assert check_report(forged, []).state == "stranger"
    claimed = json.loads(forged)
    claimed["seal"]["key_id"] = key.public.key_id
    assert check_report(json.dumps(claimed).encode(), [key.public]).state == "altered"


def test_a_report_without_a_signature_is_unsigned_even_when_its_seal_is_made_anew(
    report: Report, key: PrivateKey
) -> None:
    plain = JsonExporter().render(sealed(report))
    bare = JsonExporter().render(report)

    assert check_report(plain, [key.public]).state == "unsigned"
    assert check_report(bare, [key.public]).state == "unsigned"
    cut = json.loads(JsonExporter().render(sealed(report, key)))
    cut["seal"] |= {"signature": "", "key_id": ""}
    assert check_report(json.dumps(cut).encode(), [key.public]).state == "unsigned"


def test_a_key_that_stands_twice_is_refused(data: bytes, key: PrivateKey) -> None:
    twice = data.replace(b'"schema_version"', b'"schema_version": "1.0", "schema_version"', 1)

    with pytest.raises(ReportError, match="stands twice"):
        check_report(twice, [key.public])


@pytest.mark.parametrize(
    "wrong", [b"", b"[]", b"{}", b"NaN", b"\xff", b'{"a": 1e999}', b"[" * 100_000, b'"\\ud800"']
)
def test_what_is_no_report_is_a_typed_error(wrong: bytes) -> None:
    with pytest.raises(ReportError):
        check_report(wrong, [])


def test_judging_anew_takes_the_seal_off(report: Report, key: PrivateKey) -> None:
    stored = parse_report(JsonExporter().render(sealed(report, key)))

    assert stored.seal is not None
    assert rejudge(stored, POLICY).seal is None


@pytest.mark.parametrize(
    ("bits", "text"),
    [
        # RFC 8785, appendix B: IEEE 754 doubles and what ECMAScript writes for them.
        ("0000000000000000", "0"),
        ("8000000000000000", "0"),
        ("0000000000000001", "5e-324"),
        ("8000000000000001", "-5e-324"),
        ("7fefffffffffffff", "1.7976931348623157e+308"),
        ("ffefffffffffffff", "-1.7976931348623157e+308"),
        ("4340000000000000", "9007199254740992"),
        ("c340000000000000", "-9007199254740992"),
        ("4430000000000000", "295147905179352830000"),
        ("44b52d02c7e14af5", "9.999999999999997e+22"),
        ("44b52d02c7e14af6", "1e+23"),
        ("44b52d02c7e14af7", "1.0000000000000001e+23"),
        ("444b1ae4d6e2ef4e", "999999999999999700000"),
        ("444b1ae4d6e2ef4f", "999999999999999900000"),
        ("444b1ae4d6e2ef50", "1e+21"),
        ("3eb0c6f7a0b5ed8c", "9.999999999999997e-7"),
        ("3eb0c6f7a0b5ed8d", "0.000001"),
        ("41b3de4355555553", "333333333.3333332"),
        ("41b3de4355555554", "333333333.33333325"),
        ("41b3de4355555555", "333333333.3333333"),
        ("41b3de4355555556", "333333333.3333334"),
        ("41b3de4355555557", "333333333.33333343"),
        ("becbf647612f3696", "-0.0000033333333333333333"),
        ("43143ff3c1cb0959", "1424953923781206.2"),
    ],
)
def test_numbers_are_written_as_the_rfc_says(bits: str, text: str) -> None:
    (value,) = struct.unpack(">d", bytes.fromhex(bits))

    assert canonical(value).decode() == text


def test_the_example_of_the_rfc_comes_out_as_it_says() -> None:
    # RFC 8785, section 3.2.2 and 3.2.3
    text = (
        '{"numbers":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001],'
        '"string":"\\u20ac$\\u000F\\u000aA\'\\u0042\\u0022\\u005c\\\\\\"\\/",'
        '"literals":[null,true,false]}'
    )
    names = {"\u20ac": 1, "\r": 2, "\ufb33": 3, "1": 4, "\U0001f600": 5, "\u0080": 6, "\u00f6": 7}

    assert canonical(json.loads(text)).decode() == (
        '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
        '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    )
    assert list(json.loads(canonical(names)).values()) == [2, 4, 6, 7, 1, 5, 3]


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_comes_back_as_it_was(value: float) -> None:
    assert float(canonical(value)) == value


@given(st.integers(-(2**70), 2**70))
def test_a_whole_number_is_never_rounded(value: int) -> None:
    assert json.loads(canonical({"n": value})) == {"n": value}


def reelcheck(*words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "reelcheck", *words]
    environment = {"REELCHECK_CONFIG": str(folder / "config"), "PATH": "/usr/bin:/bin"}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def test_the_commands_sign_verify_and_tell_the_video(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(valid("mp4"))
    (tmp_path / "b.mp4").write_bytes(valid("mp4") + b"x")
    reelcheck("models", "keygen", "--out", "key.pem", folder=tmp_path)
    made = reelcheck(
        *("analyze", "a.mp4", "--only", "flashes", "--out", "made", "-q"),
        *("--sign-report", "key.pem"),
        folder=tmp_path,
    )
    assert made.returncode == 0, made.stderr
    stored = tmp_path / "made" / "report.json"
    content = json.loads(stored.read_text())

    def verify(*words: str) -> tuple[int, str]:
        done = reelcheck("verify", "made/report.json", *words, folder=tmp_path)
        return done.returncode, done.stdout

    trust = ("--trust", "key.pem.pub")
    assert verify(*trust)[0] == 0
    assert verify(*trust, "--input", "a.mp4")[0] == 0
    assert verify(*trust, "--input", "b.mp4")[0] == 1
    code, words = verify()
    assert (code, "not trusted" in words) == (4, True)
    stored.write_text(json.dumps(content | {"events": [], "reelcheck_version": "9"}))
    code, words = verify(*trust)
    assert code == 1
    assert "reelcheck_version was changed" in words


def names_of_trail(report: Mapping[str, Any]) -> set[str]:
    return {
        *report["versions"],
        *(["policy"] if report["verdict"]["policy_sha256"] else []),
        *(["input"] if len(report["video"]["sha256"]) == 64 else []),
        *(["limits"] if report["limits"]["frame_pixels"] else []),
        *(["models"] if all(len(one["sha256"]) == 64 for one in report["models"]) else []),
    }


def test_a_report_names_input_models_settings_policy_and_versions(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(valid("mp4"))
    words = ("analyze", "a.mp4", "--only", "nudity,flashes", "--format", "json")

    report = json.loads(reelcheck(*words, folder=tmp_path).stdout)

    assert names_of_trail(report) >= {
        *("input", "models", "limits", "policy", "reelcheck", "python"),
        *("av", "numpy", "onnxruntime", *LIBRARY_FLOORS),
    }
    assert [one["name"] for one in report["models"]][:1] == ["open-nsfw"]


def test_an_ffmpeg_below_the_floor_is_named() -> None:
    at_floor = dict(LIBRARY_FLOORS)
    below = {**at_floor, "libavcodec": (62, 28, 101)}

    assert too_old(at_floor) == []
    assert too_old({**at_floor, "libavcodec": (63, 0, 100)}) == []
    (words,) = too_old(below)
    assert words == "libavcodec 62.28.101 is older than 62.28.102 of FFmpeg 8.1.2"
