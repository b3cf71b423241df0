"""
Builds dist/reroot-probe.pyz: the parts of reroot that need nothing but the standard library, in one Python text.

A text and not a zip file, so that it can be sent as it is: ``ssh host python3 - probe db1 < reroot-probe.pyz``.
"""

from __future__ import annotations

import base64
import json
import sys
import zlib
from pathlib import Path

HERE = Path(__file__).parent
SOURCE = HERE.parent / "src"
PARTS = (
    "errors", "model", "wire", "rehearsal/__init__", "rehearsal/_acts", "rehearsal/_meaning", "rehearsal/_words",
    "rehearsal/_conclusion", "rehearsal/_evidence", "collect/__init__", "collect/_conversation", "collect/rehearse/__init__", "collect/rehearse/_hello",
    "collect/rehearse/_engine", "collect/rehearse/_guest", "collect/rehearse/stage", "collect/rehearse/_peer",
    "collect/rehearse/_indoors", "collect/rehearse/_places", "collect/rehearse/_ways", "collect/rehearse/_performance",
    "collect/rehearse/command",
)  # fmt: skip
LARGEST = 100_000
START = '''\
#!/usr/bin/env python3
"""reroot-probe: `python3 reroot-probe.pyz --help`, or `ssh host python3 - --help < reroot-probe.pyz`."""
import base64, importlib.abc, importlib.util, json, sys, zlib

if sys.version_info < (3, 11):
    sys.exit("error: reroot-probe needs Python 3.11 or later")
PARTS = """
%s
"""


class Carried(importlib.abc.MetaPathFinder, importlib.abc.InspectLoader):
    """Imports what this file carries."""

    def __init__(self, sources):
        self.sources = sources

    def place(self, name):
        stem = name.replace(".", "/")
        return next((p for p in (stem + ".py", stem + "/__init__.py") if p in self.sources), None)

    def find_spec(self, name, path=None, target=None):
        place = self.place(name)
        if place is None:
            return None
        origin = "reroot-probe.pyz/" + place
        spec = importlib.util.spec_from_loader(name, self, origin=origin, is_package=self.is_package(name))
        spec.has_location = True
        return spec

    def is_package(self, name):
        return self.place(name).endswith("__init__.py")

    def get_source(self, name):
        return self.sources[self.place(name)]

    def get_data(self, path):
        return self.sources[path.removeprefix("reroot-probe.pyz/")].encode()


carried = Carried(json.loads(zlib.decompress(base64.b85decode("".join(PARTS.split())))))
sys.meta_path.insert(0, carried)
exec(compile(carried.sources["__main__.py"], "reroot-probe.pyz", "exec"))
'''


def build(target: Path) -> int:
    """Writes the file, gives its size in bytes."""
    files = {f"reroot/{part}.py": (SOURCE / "reroot" / f"{part}.py").read_text("utf-8") for part in PARTS}
    files["reroot/__init__.py"] = '"""The part of reroot that travels."""\n'
    files |= {path.name: path.read_text("utf-8") for path in sorted((HERE / "pyz").glob("*.py"))}
    packed = base64.b85encode(zlib.compress(json.dumps(files, sort_keys=True).encode(), 9)).decode()
    whole = (START % "\n".join(packed[at : at + 120] for at in range(0, len(packed), 120))).encode()
    if len(whole) > LARGEST:
        sys.exit(f"{len(whole)} bytes: more than {LARGEST}")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(whole)
    target.chmod(0o755)
    return len(whole)


if __name__ == "__main__":
    place = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE.parent / "dist" / "reroot-probe.pyz"
    print(f"{place}: {build(place)} bytes")
