"""
What holds for every test: a clean environment, the heavy tests only when asked for, and an honest last word.

The last lines of a run name each real client that was exercised and each that was not, with the reason; tests say what they
exercised through the fixture ``exercised``.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from reroot.lab.postgres import SCRUBBED

# A machine may preset which certificates programs trust and which server they talk to; no test may depend on it.
for _name in [n for n in os.environ if n in SCRUBBED or n.startswith("PG")]:
    del os.environ[_name]

_EXERCISED = "exercised client"
_seen: dict[str, int] = {}
_real_ran = False
_failed: dict[str, None] = {}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--matrix", action="store_true", help="run the heavy matrices too (`make matrix`)")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """With REROOT_FAILED=FILE the names of what failed go there, a line each, for `pytest @FILE`."""
    if os.environ.get("REROOT_FAILED") and not hasattr(session.config, "workerinput"):
        Path(os.environ["REROOT_FAILED"]).write_text("".join(f"{name}\n" for name in _failed))


def pytest_configure(config: pytest.Config) -> None:
    from tests.real.oracle import postgres18

    if postgres18():
        folders = [f for f in os.environ.get("REROOT_POSTGRES", "").split(":") if f]
        if postgres18() not in folders:
            os.environ["REROOT_POSTGRES"] = ":".join([*folders, postgres18()])


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--matrix") or "matrix" in (config.option.markexpr or ""):
        return
    heavy = pytest.mark.skip(reason="a heavy matrix: `make matrix`")
    for item in items:
        if item.get_closest_marker("matrix"):
            item.add_marker(heavy)


@pytest.fixture
def exercised(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Call it with the name of each real client (or ``NAME: N rows``) that the test ran."""
    return lambda name: record_property(_EXERCISED, name)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    global _real_ran
    _real_ran = _real_ran or report.nodeid.startswith("tests/real/")
    if report.failed:
        _failed[report.nodeid.removesuffix("@oracle")] = None
    if report.when == "call":
        for name, value in report.user_properties:
            if name == _EXERCISED:
                client, _, rows = str(value).partition(": ")
                _seen[client] = _seen.get(client, 0) + int(rows.split()[0] if rows else 1)


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not _real_ran:
        return
    from tests.real.clients import found

    here, missing = found()
    terminalreporter.section("real clients")
    terminalreporter.write_line("exercised: " + (", ".join(f"{n} ({c})" for n, c in sorted(_seen.items())) or "none"))
    idle = {c.name: "here, not in this run; `make matrix` runs it" for c in here if c.name not in _seen}
    idle |= {m.name: m.why for m in missing}
    for name, why in sorted(idle.items()):
        terminalreporter.write_line(f"not exercised: {name} ({why})")
