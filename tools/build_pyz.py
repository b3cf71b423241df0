"""Builds dist/reroot-probe.pyz: the parts of reroot that need nothing but the standard library, and the program around them."""

from __future__ import annotations

import io
import sys
import zipfile
from pathlib import Path

HERE = Path(__file__).parent
SOURCE = HERE.parent / "src"
PARTS = (
    "errors", "model", "wire", "rehearsal/__init__", "rehearsal/_acts", "rehearsal/_meaning", "rehearsal/_words",
    "rehearsal/_conclusion", "collect/__init__", "collect/_conversation", "collect/rehearse/__init__", "collect/rehearse/_hello",
    "collect/rehearse/_engine", "collect/rehearse/_guest", "collect/rehearse/stage", "collect/rehearse/_peer",
    "collect/rehearse/_indoors", "collect/rehearse/_places", "collect/rehearse/_ways", "collect/rehearse/_performance",
    "collect/rehearse/command",
)  # fmt: skip
LARGEST = 100_000
WHEN = (2026, 1, 1, 0, 0, 0)
"""The same time in every build: the same sources make the same bytes."""


def build(target: Path) -> int:
    """Writes the file, gives its size in bytes."""
    files = {f"reroot/{part}.py": (SOURCE / "reroot" / f"{part}.py").read_bytes() for part in PARTS}
    files["reroot/__init__.py"] = b'"""The part of reroot that travels."""\n'
    files |= {path.name: path.read_bytes() for path in sorted((HERE / "pyz").glob("*.py"))}
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in sorted(files):
            archive.writestr(zipfile.ZipInfo(name, WHEN), files[name], zipfile.ZIP_DEFLATED)
    whole = b"#!/usr/bin/env python3\n" + content.getvalue()
    if len(whole) > LARGEST:
        sys.exit(f"{len(whole)} bytes: more than {LARGEST}")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(whole)
    target.chmod(0o755)
    return len(whole)


if __name__ == "__main__":
    place = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE.parent / "dist" / "reroot-probe.pyz"
    print(f"{place}: {build(place)} bytes")
