"""The HTML report: one file that asks for nothing, and runs nothing but its own script."""

import base64
import hashlib
import re
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hostile_text import HOSTILE, NASTY, hostile_report, sample_report
from reelcheck.exporters.html import HtmlExporter
from reelcheck.verdict.report import Report

CHROMIUM = next(
    (
        path
        for name in ("chromium", "chromium-browser", "google-chrome")
        if (path := shutil.which(name))
    ),
    None,
)
ATTACKS = (
    "<script>document.title='owned'</script>",
    "<img src=x onerror=\"document.title='owned'\">",
    "<svg onload=document.title='owned'>",
    "javascript:document.title='owned'",
    "'\"><iframe src=http://attacker.example></iframe>",
    "{{ 7*7 }}",
    "</style><link rel=stylesheet href=http://attacker.example/x.css>",
)


def html_of(report: Report) -> str:
    return HtmlExporter().render(report).decode()


def policy_of(page: str) -> str:
    found = re.search(r'http-equiv="Content-Security-Policy"\s+content="([^"]*)"', page)
    assert found
    return found[1].replace("&#39;", "'")


def hash_of(content: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()


def test_the_policy_forbids_everything_but_the_reports_own_script_and_style() -> None:
    page = html_of(sample_report())
    policy = policy_of(page)

    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    styles = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    assert len(scripts) == len(styles) == 1
    assert hash_of(scripts[0]) in policy
    assert hash_of(styles[0]) in policy


def test_the_page_names_no_address_that_a_browser_would_fetch() -> None:
    page = html_of(sample_report())

    page = re.sub(r"<script>.*?</script>", "", page, flags=re.DOTALL)
    fetched = re.findall(r"""(?:src|href|action|poster|data)\s*=\s*["']?([^"'\s>]*)""", page)
    assert not [one for one in fetched if not one.startswith(("data:", "#", "clip", "file:"))]
    assert not re.search(r"@import|url\((?!data:)", page)


@pytest.mark.parametrize("attack", [*ATTACKS, *NASTY])
def test_hostile_text_stays_text(attack: str) -> None:
    page = html_of(hostile_report(attack))

    outside = re.sub(r"<(script|style)\b.*?</\1>", "", page, flags=re.DOTALL)
    tags = set(re.findall(r"<\s*(/?[a-zA-Z][\w-]*)", outside))
    assert not {"iframe", "link", "object", "embed", "base"} & tags
    assert 'onerror="' not in outside
    assert attack not in outside or not re.search(r"[<>\"'\x00-\x08]", attack)


@given(st.data())
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_text_gives_a_page_with_the_same_scripts(data: st.DataObject) -> None:
    page = html_of(hostile_report(data.draw(HOSTILE)))

    assert page.count("<script") == html_of(sample_report()).count("<script")
    assert hash_of(re.findall(r"<script>(.*?)</script>", page, re.DOTALL)[0]) in policy_of(page)


@contextmanager
def counting_proxy() -> Iterator[tuple[int, list[str]]]:
    """Take every connection that a browser tries to make; yield the port and what was asked for."""
    asked: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    asked.append(connection.recv(200).decode("latin-1").split("\r\n")[0])

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1], asked
        server.shutdown(socket.SHUT_RDWR)


def browse(page: str, folder: Path) -> tuple[str, list[str], list[str]]:
    """Open a page in a browser; return its document, what the console said, what was asked for."""
    file = folder / "report.html"
    file.write_text(page, encoding="utf-8", errors="surrogatepass")
    with counting_proxy() as (port, asked):
        done = subprocess.run(
            [
                *(str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"),
                *("--disable-background-networking", "--disable-component-update"),
                *("--disable-sync", "--disable-extensions", "--enable-logging=stderr", "--v=0"),
                f"--proxy-server=http://127.0.0.1:{port}",
                *("--proxy-bypass-list=<-loopback>", f"--user-data-dir={folder / 'profile'}"),
                *("--virtual-time-budget=3000", "--dump-dom", file.as_uri()),
            ],
            capture_output=True,
            timeout=60,
            check=False,
        )
    console = [
        line for line in done.stderr.decode(errors="replace").splitlines() if "CONSOLE" in line
    ]
    # Chromium opens connections ahead, and closes them without a word.
    wanted = [one for one in asked if one and not re.search(r"google|gvt1|chrome", one)]
    return done.stdout.decode(errors="replace"), console, wanted


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium on the PATH")
@pytest.mark.parametrize("attack", ["plain", *ATTACKS])
def test_in_a_browser_there_is_no_error_no_request_and_no_strange_script(
    attack: str, tmp_path: Path
) -> None:
    report = sample_report() if attack == "plain" else hostile_report(attack)

    document, console, asked = browse(html_of(report), tmp_path)

    assert "<title>owned" not in document
    assert '<h2 id="why">' in document
    assert console == []
    assert asked == []


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium on the PATH")
def test_the_browser_test_notices_scripts_and_requests(tmp_path: Path) -> None:
    page = "<title>x</title><script>document.title='owned'; console.error('bad')</script>"

    document, console, asked = browse(page + "<img src=http://attacker.example/x>", tmp_path)

    assert "<title>owned" in document
    assert console
    assert asked
