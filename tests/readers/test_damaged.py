"""Certificates with a bit or a byte changed, the same ones each time: what reroot says is trusted, the real stacks must trust."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from reroot import authorities
from reroot.pki.certificate import Certificate
from reroot.readers import effective
from reroot.readers._lenient import as_go, as_java

from . import oracles
from .shapes import armour

ROOTS = [r.certificate.der for word in ("aws", "azure") for r in authorities.families()[word].roots]


def damaged(count: int, seed: int) -> list[bytes]:
    """Mostly one change in each, in the part that is signed more often than in the signature."""
    chance = random.Random(seed)
    made = []
    for _ in range(count):
        content = bytearray(chance.choice(ROOTS))
        for _ in range(chance.choice((1, 1, 1, 2))):
            at = chance.randrange(len(content) - (300 if chance.random() < 0.8 else 0))
            way = chance.random()
            if way < 0.6:
                content[at] ^= 1 << chance.randrange(8)
            elif way < 0.8:
                content[at] = chance.randrange(256)
            else:
                content[at] = chance.choice((0, 1, 0x80, 0xFF, 0x30, 0x7F))
        made.append(bytes(content))
    return made


def written(count: int, folder: Path) -> list[Path]:
    files = [folder / f"{number}.pem" for number in range(count)]
    for path, der in zip(files, damaged(count, seed=20190822), strict=True):
        path.write_bytes(armour("CERTIFICATE", der))
    return files


def java(files: list[Path], _folder: Path) -> list[bool]:
    return [heard.loads for heard in oracles.java([(path, "PEM", None) for path in files])]


def go(files: list[Path], folder: Path) -> list[bool]:
    return [heard.loads for heard in oracles.go(files, folder)]


def python(files: list[Path], _folder: Path) -> list[bool]:
    return [oracles.python(path)[0] for path in files]


STACKS = {"java-17": ("java", java), "go-1.19": ("go", go), "openssl-3.0": ("python3", python)}


@pytest.mark.parametrize("count", [300, pytest.param(3000, marks=pytest.mark.matrix)])
@pytest.mark.parametrize("reader", STACKS)
def test_no_damaged_certificate_is_said_to_be_trusted_that_the_stack_refuses(
    reader: str, count: int, tmp_path: Path, exercised: Callable[[str], None]
) -> None:
    program, ask = STACKS[reader]
    if not shutil.which(program):
        pytest.skip(f"no {program} on this machine")
    files = written(count, tmp_path)
    stack, version = reader.split("-")
    told = {"store_type": "PEM"}
    mine = [effective(stack, version, path.read_bytes(), **told).loads for path in files]
    real = ask(files, tmp_path)
    assert [n for n in range(count) if mine[n] and not real[n]] == []
    assert sum(mine[n] != real[n] for n in range(count)) <= count // 100
    exercised(f"{program}: {count} files")


@pytest.mark.matrix
def test_no_damaged_certificate_is_said_to_be_trusted_that_a_later_go_refuses(
    tmp_path: Path, exercised: Callable[[str], None]
) -> None:
    files = written(3000, tmp_path)
    for version, program in oracles.go_tools().items():
        mine = [effective("go", version, path.read_bytes(), store_type="PEM").loads for path in files]
        real = [heard.loads for heard in oracles.go(files, tmp_path, program)]
        assert [n for n in range(3000) if mine[n] and not real[n]] == []
        assert sum(mine[n] != real[n] for n in range(3000)) <= 12
        exercised(f"go {version}: {len(files)} files")


@pytest.mark.skipif(not oracles.DOTNET.exists(), reason="no .NET: tools/clients.sh")
def test_no_damaged_certificate_is_said_to_be_trusted_that_dotnet_refuses(
    tmp_path: Path, exercised: Callable[[str], None]
) -> None:
    files = written(1000, tmp_path)
    mine = [effective("dotnet", "8.0", path.read_bytes()).loads for path in files]
    real = [heard.loads for heard in oracles.dotnet([(path, "PEM", None) for path in files])]
    assert [n for n in range(1000) if mine[n] and not real[n]] == []
    assert sum(mine[n] != real[n] for n in range(1000)) <= 10
    exercised(f"dotnet: {len(files)} files")


@pytest.mark.parametrize("der", [ROOTS[0], ROOTS[-1]], ids=["RDS", "DigiCert"])
def test_a_sound_certificate_stays_sound_when_its_names_are_taken_off(der: bytes) -> None:
    for stripped in (as_java(der), as_go(der)):
        assert stripped is not None
        assert Certificate(stripped).is_readable
        assert Certificate(stripped).spki == Certificate(der).spki
        assert Certificate(stripped).is_ca
