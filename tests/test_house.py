"""The rules of the house, kept by a test rather than by memory."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from reroot import drivers, reports

HOUSE = Path(__file__).parent.parent / "src" / "reroot"

# A room may import only rooms that stand above it. Above the line: no file, socket, process or clock.
PURE = [
    "model", "errors", "registry", "rules", "wire", "logs", "pki", "authorities", "truststores", "readers", "roots", "drivers",
    "verdict", "rehearsal", "plan", "rotation", "reports",
]  # fmt: skip
RIM = ["collect", "providers", "ledger", "lab", "app", "web", "cli"]
ORDER = PURE + RIM
IO = {
    "socket", "ssl", "subprocess", "sqlite3", "time", "os", "asyncio", "threading", "urllib.request", "http.client", "select",
    "multiprocessing", "tempfile", "shutil", "psycopg", "boto3", "sqlalchemy", "click",
}  # fmt: skip
CALLS = {"open", "input", "print"}
CLOCKS = {"now", "utcnow", "today"}
PACKAGE_DATA = {"authorities"}
"""The one room above the line that reads files: its own package data."""

LONGEST = 500

FILES = sorted(HOUSE.rglob("*.py"))
ROOMS = [path for path in FILES if path.parent != HOUSE or path.stem != "__init__"]


def name(path: Path) -> str:
    return str(path.relative_to(HOUSE))


def room(path: Path) -> str:
    return path.relative_to(HOUSE).parts[0].removesuffix(".py")


def imports(path: Path) -> set[str]:
    """Every module that *path* imports, at the top or inside a function, by its full name."""
    package = ["reroot", *path.relative_to(HOUSE).parts[:-1]]
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add(node.module or "")
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1]
            stem = ".".join([*base, *(node.module or "").split(".")]).rstrip(".")
            found |= {stem} if node.module else {f"{stem}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize("path", ROOMS, ids=name)
def test_imports_point_up(path):
    above = set(ORDER[: ORDER.index(room(path)) + 1])
    ours = {module.split(".")[1] for module in imports(path) if module.startswith("reroot.")} - {"__version__"}
    assert ours <= above


@pytest.mark.parametrize("path", [p for p in ROOMS if room(p) in PURE], ids=name)
def test_pure_rooms_open_no_file_socket_process_or_clock(path):
    assert not {module for module in imports(path) if any(f"{module}.".startswith(f"{io}.") for io in IO)}
    if room(path) in PACKAGE_DATA:
        return
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            called = node.func
            assert not (isinstance(called, ast.Name) and called.id in CALLS), f"line {node.lineno} calls {ast.unparse(called)}"
            assert not (isinstance(called, ast.Attribute) and called.attr in CLOCKS), f"line {node.lineno} asks a clock"


@pytest.mark.parametrize("path", FILES, ids=name)
def test_no_file_grows_past_its_limit(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST


@pytest.mark.parametrize("path", FILES, ids=name)
def test_every_file_says_what_it_is_for(path):
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))), "a file without a reason to exist"


@pytest.mark.parametrize("driver", drivers.names())
def test_every_driver_names_itself_its_source_and_its_versions(driver):
    rules = drivers.find(driver)
    assert rules is not None
    assert rules.name == driver
    assert rules.source.startswith("https://")
    assert rules.versions


@pytest.mark.parametrize("report", reports.names())
def test_every_report_has_a_title(report):
    assert reports.find(report).title


def test_nobody_but_the_drivers_asks_for_a_driver_by_name():
    names = set(drivers.names())
    for path in ROOMS:
        if room(path) not in {"verdict", "plan", "rotation", "roots", "pki", "app"}:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Compare):
                texts = {c.value for c in ast.walk(node) if isinstance(c, ast.Constant) and isinstance(c.value, str)}
                assert not texts & names, f"{name(path)}:{node.lineno} asks for a driver by name"
