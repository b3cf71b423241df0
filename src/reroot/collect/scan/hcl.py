"""Terraform and other HCL: resources, variables with their defaults, ``tfvars``; and HOCON, which reads alike."""

from __future__ import annotations

from . import _shapes
from ._braces import read_braces
from ._reader import Page, Reader
from ._text import Text

_ENDS = (".tf", ".tfvars", ".hcl", ".nomad", ".tf.j2", ".tftpl", ".tfvars.example", ".tofu", ".hocon")


def claims(path: str) -> int:
    if path.endswith(_ENDS):
        return 9
    name = path.rpartition("/")[2]
    return (
        8 if name in ("application.conf", "reference.conf") or (name.endswith(".conf") and name.startswith("application")) else 0
    )


def read(text: Text) -> Page:
    page = Page(text, language="hcl" if text.path.endswith(_ENDS) else "hocon")
    read_braces(page)
    _shapes.settle(page)
    for entry in page.entries:
        label = page.blocks[entry.block].label
        if entry.name == "default" and label.startswith("variable "):
            entry.name = label.partition(" ")[2]
    return page


READER = Reader("HCL", claims, read)
