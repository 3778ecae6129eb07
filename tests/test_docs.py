"""The documentation is true: its blocks run, and it names everything that exists."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from reelcheck.cli.app import command_tree
from reelcheck.errors import ERROR_CODES, WARNING_CODES
from reelcheck.registry import ANALYZERS, EXPORTERS
from reelcheck.verdict.policy import parse_policy, policy_names

ROOT = Path(__file__).parent.parent
PAGES = ["README.md", "README.zh-CN.md", *(f"docs/{p.name}" for p in (ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def text_of(page: str) -> str:
    return (ROOT / page).read_text("utf-8")


def blocks(page: str) -> list[tuple[str, str]]:
    return [(match[1], match[2]) for match in BLOCK.finditer(text_of(page))]


@pytest.mark.parametrize(
    "page", ["README.md", "docs/tutorial.md", "docs/architecture.md", "docs/calibration.md"]
)
def test_every_block_of_a_page_runs(page: str, tmp_path: Path) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    for kind, block in blocks(page):
        if kind == "bash":
            lines = [line for line in block.splitlines() if not line.startswith("pip install")]
            command = ["bash", "-euc", "\n".join(lines)]
        elif kind == "python":
            command = [sys.executable, "-c", block]
        else:
            continue
        done = subprocess.run(
            command,
            cwd=tmp_path,
            env={**os.environ, "PATH": path},
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, block + done.stderr.decode()


def test_both_readmes_show_the_same_blocks_and_links() -> None:
    def code(page: str) -> list[str]:
        return [re.sub(r"#.*", "", block).split("\n")[0] for _, block in blocks(page)]

    def links(page: str) -> set[str]:
        return set(re.findall(r"\]\(([^)]+)\)", text_of(page))) - {"README.md", "README.zh-CN.md"}

    assert [line.split() for line in code("README.md")] == [
        line.split() for line in code("README.zh-CN.md")
    ]
    assert links("README.md") == links("README.zh-CN.md")


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", text_of(page)):
        assert ((ROOT / page).parent / target).exists(), target


def test_every_name_is_documented() -> None:
    everything = "\n".join(text_of(page) for page in PAGES)

    for name in [*ANALYZERS, *EXPORTERS, *policy_names(), *ERROR_CODES, *WARNING_CODES]:
        assert f"`{name}`" in everything, name
    for command in command_tree():
        assert f"reelcheck {command}" in everything, command


def test_the_policy_of_the_documentation_is_valid() -> None:
    for kind, block in blocks("docs/policies.md"):
        if kind == "toml":
            assert parse_policy(block.encode(), where="docs").name == "school"
