"""PEM as Go reads it. Source: go/src/encoding/pem/pem.go Decode, getLine; measured with Go 1.19."""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from typing import NamedTuple

START, STOP, TAIL = b"\n-----BEGIN ", b"\n-----END ", b"-----"
BASE64 = re.compile(rb"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")


class Block(NamedTuple):
    label: bytes
    has_headers: bool
    der: bytes


def blocks(data: bytes) -> Iterator[Block]:
    """Each block that Decode finds; what it cannot read it passes over."""
    at = 0
    while at < len(data):
        found = _decode(data, at)
        if found is None:
            return
        block, at = found
        yield block


def _line(data: bytes, at: int) -> tuple[bytes, int]:
    end = data.find(b"\n", at)
    if end < 0:
        return data[at:].rstrip(b" \t"), len(data)
    stop = end - 1 if end > at and data[end - 1 : end] == b"\r" else end
    return data[at:stop].rstrip(b" \t"), end + 1


def _decode(data: bytes, at: int) -> tuple[Block, int] | None:
    while True:
        if data.startswith(START[1:], at):
            at += len(START) - 1
        else:
            found = data.find(START, at)
            if found < 0:
                return None
            at = found + len(START)
        label, at = _line(data, at)
        if not label.endswith(TAIL):
            continue
        label = label[: -len(TAIL)]
        headers = False
        while True:
            if at >= len(data):
                return None
            text, after = _line(data, at)
            if b":" not in text:
                break
            headers, at = True, after
        if not headers and data.startswith(STOP[1:], at):
            end, trailer = at, at + len(STOP) - 1
        else:
            end = data.find(STOP, at)
            trailer = end + len(STOP)
        if end < 0:
            return None
        if data[trailer : trailer + len(label) + len(TAIL)] != label + TAIL:
            continue
        rest, _ = _line(data, trailer + len(label) + len(TAIL))
        if rest:
            continue
        text = data[at:end].translate(None, b" \t\r\n")
        if not BASE64.fullmatch(text):
            continue
        _, at = _line(data, end + len(STOP) - 1)
        return Block(label, headers, binascii.a2b_base64(text)), at
