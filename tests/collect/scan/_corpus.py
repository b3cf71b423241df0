"""The corpus: trees in text form, with the findings a careful reader would want beside each file."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

FOLDER = Path(__file__).parents[2] / "corpus"
NAMES = {
    "rds": "Amazon RDS eu-west-1 Root CA RSA2048 G1",
    "rds2": "Amazon RDS Root 2019 CA",
    "corp": "Corp Root 2019",
    "web": "shop.example.com",
    "amazon": "Amazon Root CA 1",
    "other": "Services Root 2020",
    "inter": "Corp Issuing 2019",
    "leaf": "pg-primary.db.example.com",
}
LEAFS = ("web", "leaf")


@dataclass
class Wanted:
    path: str
    first: int
    last: int
    kind: str
    hurts: bool
    keys: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.path}:{self.first}-{self.last} {self.kind} {self.keys}"


@dataclass
class Tree:
    name: str
    files: dict[str, str] = field(default_factory=dict)
    wanted: list[Wanted] = field(default_factory=list)

    def unpack(self, root: Path) -> None:
        for path, body in self.files.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(body, encoding="utf-8")


@lru_cache
def certificate(name: str) -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAMES[name])])
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAMES["corp"])]) if name == "inter" else subject
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
    builder = (
        builder.serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(1))
        .not_valid_after(now + timedelta(900))
    )
    builder = builder.add_extension(x509.BasicConstraints(ca=name not in LEAFS, path_length=None), critical=True)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode().strip()


def trees(corpus: str = "scan") -> list[Tree]:
    return [_tree(file) for file in sorted((FOLDER / corpus).glob("*.txt"))]


def _tree(file: Path) -> Tree:
    tree = Tree(file.stem)
    for document in re.split(r"^=== ", file.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
        head, _, rest = document.partition("\n")
        path = head.strip()
        lines = rest.split("\n")
        marks = [line for line in lines if line.startswith(">>> ")]
        body = "\n".join(line for line in lines if not line.startswith(">>> ")).rstrip("\n") + "\n"
        body = re.sub(r"^([ \t]*)(.*)\{\{CERT:(\w+)\}\}", _pasted, body, flags=re.MULTILINE)
        tree.files[path] = body
        assert marks, f"{file.name}: {path} says nothing about its findings"
        tree.wanted += [_wanted(path, mark[4:], body) for mark in marks if mark != ">>> none"]
    return tree


def _pasted(match: re.Match[str]) -> str:
    return match[1] + match[2] + certificate(match[3]).replace("\n", "\n" + match[1])


def _wanted(path: str, mark: str, body: str) -> Wanted:
    lines, kind, *pairs = mark.split()
    hurts = lines.endswith("!")
    first, _, last = lines.rstrip("!").partition("-")
    if first in ("last", "end"):
        first = last = str(body.count("\n") - int(last or 0))
    return Wanted(
        path, int(first), int(last or first), kind, hurts, {k: v.replace("␠", " ") for k, v in (p.split("=", 1) for p in pairs)}
    )
