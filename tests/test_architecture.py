"""The house keeps its shape: floors, peers, ceilings, and what must never be imported."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import reelcheck
from reelcheck.registry import ANALYZERS, EXPORTERS

SRC = Path(reelcheck.__file__).parent
FLOORS = {
    name: int(line.split()[0])
    for line in (reelcheck.__doc__ or "").splitlines()
    if line.strip()[:1].isdigit()
    for name in line.split()[1:]
}
PEERS = {"analyzers", "exporters"}
"""Rooms whose parts know their base, not each other."""
MODULES = sorted(path for path in SRC.rglob("*.py") if path.name != "__main__.py")
ROOT = SRC.parents[1]
EVERY = sorted(
    path
    for folder in ("benchmarks", "src", "tests", "tools")
    for path in (ROOT / folder).rglob("*.py")
)
FORBIDDEN_NAMES = {"utils", "util", "common", "helpers", "core", "manager", "misc"}
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 40


def dotted(path: Path) -> list[str]:
    parts = ["reelcheck", *path.relative_to(SRC).with_suffix("").parts]
    return parts[:-1] if parts[-1] == "__init__" else parts


def imports(path: Path) -> set[str]:
    names = set[str]()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return names


def inside(path: Path) -> list[str]:
    return sorted(name for name in imports(path) if name.startswith("reelcheck."))


def test_the_floor_plan_names_every_room() -> None:
    rooms = {path.relative_to(SRC).with_suffix("").parts[0] for path in MODULES}

    assert rooms - {"__init__"} == set(FLOORS)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SRC)))
def test_imports_go_down_the_floors(path: Path) -> None:
    here = dotted(path)
    if here == ["reelcheck"]:
        return
    for name in inside(path):
        there = name.split(".")
        if there[1] == "__version__":
            continue
        if there[1] == here[1]:
            stranger = here[1] in PEERS and len(here) > 2 and there[2] not in {here[2], "base"}
            assert not stranger, f"{here[2]} must not know its peer {name}"
            continue
        down = FLOORS[there[1]] < FLOORS[here[1]]
        beside = FLOORS[there[1]] == FLOORS[here[1]] == 0
        assert down or beside, f"{'.'.join(here)} must not import {name}"


def test_there_is_no_import_cycle() -> None:
    modules = {".".join(dotted(path)): path for path in MODULES}
    edges = {
        name: {
            target
            for found in top_level_imports(path)
            for target in (found, found.rpartition(".")[0])
            if target in modules and target != name
        }
        for name, path in modules.items()
        if name != "reelcheck"
    }
    while edges:
        free = {name for name, targets in edges.items() if not targets & set(edges)}
        assert free, f"cycle among {sorted(edges)}"
        edges = {name: targets for name, targets in edges.items() if name not in free}


def top_level_imports(path: Path) -> set[str]:
    names = set[str]()
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


@pytest.mark.parametrize("path", EVERY, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_and_functions_stay_small(path: Path) -> None:
    text = path.read_text("utf-8")

    assert len(text.splitlines()) <= MAX_FILE_LINES
    assert not FORBIDDEN_NAMES & set(path.relative_to(ROOT).with_suffix("").parts)
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[1] if ast.get_docstring(node) and len(node.body) > 1 else node.body[0]
            length = (node.end_lineno or 0) - first.lineno + 1
            assert length <= MAX_FUNCTION_LINES, f"{node.name} has {length} lines"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SRC)))
def test_nothing_unsafe_is_called(path: Path) -> None:
    tree = ast.parse(path.read_text("utf-8"))
    called = {
        node.func.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }

    forbidden = {"pickle", "marshal", "shelve", "tensorflow"}
    if dotted(path)[1:2] != ["lab"]:
        forbidden |= {"torch", "torchvision", "pytorch_lightning"}

    assert not called & {"eval", "exec", "compile", "__import__"}
    names = imports(path) - {"pickle.UnpicklingError"}  # what torch raises, to be caught
    assert not [name for name in names if name.split(".")[0] in forbidden]
    assert "shell=True" not in path.read_text("utf-8")


def test_every_analyzer_and_exporter_is_registered() -> None:
    def parts(room: str) -> set[str]:
        found = {path.stem if path.is_file() else path.name for path in (SRC / room).iterdir()}
        return found - {"__init__", "__pycache__", "base", "templates"}

    # `trained` is chosen by the name of a model in the user's store
    assert parts("analyzers") == {*ANALYZERS, "trained"}
    assert parts("exporters") == set(EXPORTERS)


def test_the_command_runs_without_torch_and_imports_every_part() -> None:
    code = (
        "import sys; sys.modules['torch'] = None; import reelcheck.cli.app;"
        "from reelcheck.registry import ANALYZERS, EXPORTERS;"
        "[table.load(name) for table in (ANALYZERS, EXPORTERS) for name in table]"
    )

    subprocess.run([sys.executable, "-c", code], check=True)


def test_importing_the_package_and_its_help_import_nothing_heavy() -> None:
    code = "import sys, reelcheck, reelcheck.cli.app; print(*sys.modules)"
    heavy = {"av", "numpy", "onnxruntime", "pydantic", "rich", "jinja2", "PIL"}

    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)

    assert not heavy & set(done.stdout.split())


def test_the_parent_of_an_analysis_decodes_nothing_and_loads_nothing_for_it() -> None:
    code = "import sys, reelcheck.cli.analyze, reelcheck.pipeline; print(*sys.modules)"
    heavy = {"av", "numpy", "onnxruntime", "jinja2", "PIL"}

    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)

    assert not heavy & set(done.stdout.split())


def test_fights_and_nudity_share_one_view() -> None:
    fights, nudity = (ANALYZERS.load(name)() for name in ("fights", "nudity"))

    assert set(nudity.needs) < set(fights.needs)


def test_public_names_are_these() -> None:
    functions = {"analyze", "judge"}
    errors = {"ModelError", "ReelcheckError", "ReportError", "SettingError", "VideoError"}
    values = {"Limits", "Policy", "Progress", "Report", "__version__"}

    assert set(reelcheck.__all__) == functions | errors | values == set(dir(reelcheck))
    assert all(getattr(reelcheck, name) for name in reelcheck.__all__)
