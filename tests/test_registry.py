"""A file is in the package, or it is not; one that is broken is an error, never a variant quietly missing."""

from __future__ import annotations

import importlib
import sys

import pytest

from reroot import registry


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Writes a package of the given files; the caller gets its name and path."""

    def make(**files: str) -> tuple[str, list[str]]:
        folder = tmp_path / "variants"
        folder.mkdir()
        (folder / "__init__.py").write_text("")
        for name, text in files.items():
            (folder / f"{name}.py").write_text(text)
        monkeypatch.syspath_prepend(str(tmp_path))
        for name in [n for n in sys.modules if n.split(".")[0] == "variants"]:
            monkeypatch.delitem(sys.modules, name)
        importlib.invalidate_caches()
        return "variants", [str(folder)]

    return make


def test_every_file_is_found_and_private_ones_are_not(package):
    name, path = package(b="THING = 2", a="THING = 1", _c="THING = 3")
    assert dict(registry.find(name, path, "THING", int)) == {"a": 1, "b": 2}


@pytest.mark.parametrize("text", ["", "THING = 'x'"], ids=["without-the-constant", "with-another-type"])
def test_a_file_that_defines_something_else_is_an_error(package, text):
    name, path = package(a=text)
    with pytest.raises(TypeError, match=r"variants\.a\.THING is not a int"):
        registry.find(name, path, "THING", int)


def test_a_file_that_does_not_import_is_an_error(package):
    name, path = package(a="raise RuntimeError('broken')")
    with pytest.raises(RuntimeError, match="broken"):
        registry.find(name, path, "THING", int)
