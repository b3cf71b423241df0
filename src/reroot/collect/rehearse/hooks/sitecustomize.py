"""Leads Python's own name look-up to a rehearsal: REROOT_HOSTS names hosts and addresses. Then the next sitecustomize follows."""

import importlib.util
import os
import socket
import sys

_led = dict(pair.split("=", 1) for pair in os.environ.get("REROOT_HOSTS", "").split(",") if "=" in pair)
_real = socket.getaddrinfo


def _getaddrinfo(host, port, *rest, **named):  # type: ignore[no-untyped-def]
    text = host.decode("ascii", "replace") if isinstance(host, bytes) else host
    return _real(_led.get(text, host), port, *rest, **named)


if _led:
    socket.getaddrinfo = _getaddrinfo

_here = os.path.dirname(os.path.abspath(__file__))
for _folder in sys.path:
    _file = os.path.join(_folder, "sitecustomize.py")
    if _folder and os.path.abspath(_folder) != _here and os.path.exists(_file):
        _spec = importlib.util.spec_from_file_location("_next_sitecustomize", _file)
        if _spec is not None and _spec.loader is not None:
            _spec.loader.exec_module(importlib.util.module_from_spec(_spec))
        break
