"""
Who is at the other end of a connection from this machine: the process, its driver, and so the family whose alerts it will send.

The kernel says which process holds the socket; the libraries that it has mapped say which driver that is (Linux only).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ...rehearsal import Family

GO_BUILD_INFO = b"\xff Go buildinf:"


@dataclass(frozen=True, slots=True)
class Process:
    """``libraries`` are the drivers and TLS libraries that it has mapped, with the version that their names or files tell."""

    program: str
    family: Family
    libraries: Mapping[str, str]


NOBODY = Process("", Family.UNKNOWN, {})
LIBRARIES = {
    "libpq": re.compile(r"/libpq[-.][^/]*so[^/]*$"),
    "asyncpg": re.compile(r"/asyncpg/protocol/"),
    "uvloop": re.compile(r"/uvloop/"),
    "psqlpy": re.compile(r"/psqlpy/"),
    "connectorx": re.compile(r"/connectorx/"),
    "dotnet": re.compile(r"/libcoreclr\.so$"),
    "openssl": re.compile(r"/libssl[-.][^/]*so[^/]*$"),
}
LOOKS = 3
OPENSSL_DRIVERS = frozenset({"libpq", "psqlpy", "connectorx"})


def peer(session: int, address: str, port: int) -> Process:
    """The process of *session* (a session id, as ``setsid`` made it) that connected from *address* and *port*."""
    # The table is not one moment's: while connections come and go, an entry that is there may be passed over.
    inode = next((found for _ in range(LOOKS) if (found := _inode(session, address, port))), "")
    for pid in _members(session) if inode else ():
        if _holds(pid, inode):
            return _describe(pid)
    return NOBODY


def _inode(pid: int, address: str, port: int) -> str:
    """The socket's inode, by the connection table of the process's own network namespace."""
    wanted = f":{port:04X}"
    for table in ("tcp", "tcp6"):
        try:
            lines = Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            words = line.split()
            if words[1].endswith(wanted) and _address(words[1].partition(":")[0]) == address.partition("%")[0]:
                return words[9]
    return ""


def _address(hexadecimal: str) -> str:
    """``0100007F`` → ``127.0.0.1``; the words of an address are in the machine's byte order."""
    import ipaddress

    raw = b"".join(bytes.fromhex(hexadecimal[i : i + 8])[::-1] for i in range(0, len(hexadecimal), 8))
    found = ipaddress.ip_address(raw)
    mapped = getattr(found, "ipv4_mapped", None)
    return str(mapped or found)


def _members(session: int) -> Iterator[int]:
    for pid in (int(name) for name in os.listdir("/proc") if name.isdecimal()):
        try:
            if os.getsid(pid) == session:
                yield pid
        except OSError:
            continue


def _holds(pid: int, inode: str) -> bool:
    wanted = f"socket:[{inode}]"
    folder = f"/proc/{pid}/fd"
    try:
        return any(_link(f"{folder}/{fd}") == wanted for fd in os.listdir(folder))
    except OSError:
        return False


def _link(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""


def _describe(pid: int) -> Process:
    program = _link(f"/proc/{pid}/exe")
    try:
        lines = Path(f"/proc/{pid}/maps").read_text(errors="replace").splitlines()
    except OSError:
        return Process(program, Family.UNKNOWN, {})
    mapped = {"/" + line.partition("/")[2] for line in lines if "/" in line}
    libraries = {name: os.path.basename(path) for name, shape in LIBRARIES.items() for path in mapped if shape.search(path)}
    return Process(program, _family(program, frozenset(libraries)), libraries)


def _family(program: str, libraries: frozenset[str]) -> Family:
    """Only where one driver can be at work: a process with two is of no known family."""
    name = os.path.basename(program)
    if name == "java":
        return Family.JSSE
    if name in ("node", "nodejs"):
        return Family.NODE
    if program and is_go(program):
        return Family.GO
    drivers = libraries & (OPENSSL_DRIVERS | {"asyncpg", "dotnet"})
    if drivers == {"dotnet"}:
        return Family.DOTNET
    if drivers == {"asyncpg"}:
        return Family.ASYNCIO
    return Family.OPENSSL if drivers and drivers <= OPENSSL_DRIVERS else Family.UNKNOWN


@lru_cache(maxsize=64)
def is_go(program: str) -> bool:
    """Whether the Go toolchain built it: its build information stands at the start of the data segment."""
    try:
        with open(program, "rb") as file:
            while chunk := file.read(1 << 20):
                if GO_BUILD_INFO in chunk:
                    return True
    except OSError:
        pass
    return False
