"""Images without an engine: layers in order, what a higher layer took away is not there."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import json
import lzma
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from reroot.collect.scan._scan import Scan, scan
from reroot.errors import InputError

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


def docker(path: Path, low: bytes = LAYERS[0], high: bytes = LAYERS[1]) -> Path:
    with tarfile.open(path, "w") as tar:
        files = {"c.json": CONFIG, "1/layer.tar": low, "2/layer.tar": high}
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
    assert result.incomplete or modes(result) == WANTED


PACKED = {
    "bz2": lambda: bz2.compress(LAYERS[0]),
    "xz": lambda: lzma.compress(LAYERS[0]),
    "zstd": lambda: zstandard.ZstdCompressor().compress(LAYERS[0]),
    "zstd in two frames": lambda: b"".join(zstandard.ZstdCompressor().compress(p) for p in (LAYERS[0][:3000], LAYERS[0][3000:])),
}


@pytest.mark.parametrize("packed", PACKED.values(), ids=PACKED)
def test_a_layer_is_read_whatever_it_is_packed_with(packed: Callable[[], bytes], tmp_path: Path) -> None:
    result = scan([str(docker(tmp_path / "image.tar", low=packed()))])
    assert (modes(result), result.incomplete) == (WANTED, [])


BELOW = {path: mode for path, mode in WANTED.items() if path != "kept.env"}
"""What is left when the lower layer cannot be read."""


def why(result: Scan) -> list[tuple[str, str]]:
    return [(limit.path, limit.why) for limit in result.incomplete]


def test_what_would_read_a_layer_is_named_when_it_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "zstandard", None)
    result = scan([str(docker(tmp_path / "image.tar", low=PACKED["zstd"]()))])
    assert why(result) == [("1/layer.tar", "is packed with zstd: `pip install 'reroot[image]'` reads it")]
    assert modes(result) == BELOW


@pytest.mark.parametrize("form", PACKED)
def test_a_damaged_layer_takes_no_other_with_it(form: str, tmp_path: Path) -> None:
    packed = PACKED[form]()
    result = scan([str(docker(tmp_path / "image.tar", low=packed[: len(packed) // 2]))])
    assert [path for path, _ in why(result)] == ["1/layer.tar"]
    assert BELOW.items() <= modes(result).items()


def test_a_layer_that_unpacks_without_end_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reroot.collect.scan._image.MAX_UNPACKED", 0)
    bomb = gzip.compress(layer({"big.txt": " " * 3_000_000, "last.env": ENV.format("disable")}))
    result = scan([str(docker(tmp_path / "image.tar", low=bomb))])
    assert why(result) == [("1/layer.tar", "unpacks to too much: the rest was not looked at")]
    assert modes(result) == BELOW


def test_an_image_that_is_packed_as_a_whole_says_so(tmp_path: Path) -> None:
    (tmp_path / "image.tar.gz").write_bytes(gzip.compress(docker(tmp_path / "image.tar").read_bytes()))
    with pytest.raises(InputError, match="packed as a whole"):
        scan([str(tmp_path / "image.tar.gz")])


def test_a_tar_that_is_no_image_is_a_limit(tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(LAYERS[0])
    assert why(scan([str(tmp_path / "a.tar")])) == [("a.tar", "is a tar and no image that could be read in full")]
