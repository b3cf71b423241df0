"""
Kubernetes manifests that carry roots: ConfigMap, Secret, and trust-manager's Bundle.

The manifest is changed as text, so comments, order and quoting stay. ``tls.crt`` is a server's own chain and is left alone.
"""

from __future__ import annotations

import re

from . import _pasted
from ._format import Change, Format, Roots

KIND = re.compile(
    rb"(?:^|[{,])[ \t]*[\"']?kind[\"']?[ \t]*:[ \t]*[\"']?(ConfigMap|Secret|Bundle|ClusterTrustBundle|List)\b", re.MULTILINE
)
VERSION = re.compile(rb"[\"']?apiVersion[\"']?[ \t]*:")
OWN_CHAIN = ("tls.crt",)


def sniff(content: bytes) -> int:
    if not (KIND.search(content) and VERSION.search(content)):
        return 0
    return 95 if _pasted.BASE64.search(content) or b"BEGIN CERTIFICATE" in content else 50


def read(content: bytes, _password: object = None) -> Roots:
    return _pasted.read("kubernetes", content, OWN_CHAIN)


def write(content: bytes, change: Change, _password: object = None) -> bytes:
    return _pasted.write(content, change, OWN_CHAIN)


def extract(content: bytes, key: str = "") -> bytes:
    """The PEM text that a pod finds in the mounted file."""
    return _pasted.extract(content, OWN_CHAIN, key=key)


FORMAT = Format(title="Kubernetes manifest", sniff=sniff, read=read, write=write, extract=extract)
