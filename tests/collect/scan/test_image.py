"""Images without an engine: layers in order, what a higher layer took away is not there."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from pathlib import Path

import pytest

from reroot.collect.scan._scan import Scan, scan

ENV = "PGSSLMODE={}\n"


def layer(files: dict[str, str]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for path, body in files.items():
            member = tarfile.TarInfo(path)
            member.size = len(body.encode())
            tar.addfile(member, io.BytesIO(body.encode()))
    return out.getvalue()


LAYERS = [
    layer(
        {
            "app/a.env": ENV.format("disable"),
            "app/b.env": ENV.format("require"),
            "old/c.env": ENV.format("allow"),
            "kept.env": ENV.format("verify-ca"),
        }
    ),
    gzip.compress(
        layer(
            {
                "app/a.env": ENV.format("verify-full"),
                "app/.wh.b.env": "",
                "old/.wh..wh..opq": "",
                "old/new.env": ENV.format("prefer"),
            }
        )
    ),
]
CONFIG = json.dumps(
    {"config": {"Env": ["PATH=/bin", "PGSSLROOTCERT=/app/rds.pem", "PGSSLMODE=verify-full"], "Cmd": ["app"]}}
).encode()


def docker(path: Path) -> Path:
    with tarfile.open(path, "w") as tar:
        files = {"c.json": CONFIG, "1/layer.tar": LAYERS[0], "2/layer.tar": LAYERS[1]}
        files["manifest.json"] = json.dumps([{"Config": "c.json", "Layers": ["1/layer.tar", "2/layer.tar"]}]).encode()
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return path


def oci(root: Path) -> Path:
    (root / "blobs/sha256").mkdir(parents=True)

    def blob(data: bytes) -> dict[str, str]:
        digest = hashlib.sha256(data).hexdigest()
        (root / "blobs/sha256" / digest).write_bytes(data)
        return {"digest": f"sha256:{digest}"}

    manifest = blob(json.dumps({"config": blob(CONFIG), "layers": [blob(data) for data in LAYERS]}).encode())
    (root / "index.json").write_text(json.dumps({"manifests": [manifest]}))
    (root / "oci-layout").write_text("{}")
    return root


def modes(result: Scan) -> dict[str, str | None]:
    return {f.path: f.mode for f in result.findings}


WANTED = {
    "(image configuration)/Dockerfile": "verify-full",
    "app/a.env": "verify-full",
    "old/new.env": "prefer",
    "kept.env": "verify-ca",
}


def test_a_saved_image_is_seen_as_its_containers_see_it(tmp_path: Path) -> None:
    assert modes(scan([str(docker(tmp_path / "image.tar"))])) == WANTED


def test_an_oci_layout_is_seen_the_same(tmp_path: Path) -> None:
    assert modes(scan([str(oci(tmp_path / "layout"))])) == WANTED


@pytest.mark.parametrize("cut", [100, 3000, 11_000])
def test_a_damaged_image_is_a_limit_not_a_crash(cut: int, tmp_path: Path) -> None:
    whole = docker(tmp_path / "image.tar").read_bytes()
    (tmp_path / "cut.tar").write_bytes(whole[:-cut])
    result = scan([str(tmp_path / "cut.tar")])
    assert result.incomplete or modes(result) == WANTED or not result.findings
