"""
The ways to lead an unchanged program to the stage: the name it connects to is made to mean a loopback address of ours.

``WAYS`` stands in the order in which they are tried. A way is used only where it is known to lead this kind of program wholly:
a way that does not work would let the program go to the real server. Nothing of a way outlives the program: variables and
namespaces end with it, and what must be a file is one without a name, of our own process.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from glob import glob
from pathlib import Path

from ._peer import is_go

HOOKS = Path(__file__).parent / "hooks"
SCRIPTS = {"python": "python", "node": "node", "nodejs": "node", "ruby": "ruby", "perl": "perl", "php": "php", "java": "java"}


@dataclass(frozen=True)
class Journey:
    """How to start the program: ``prefix`` before its command, ``env`` beside its own environment. ``files`` keep descriptors open
    for as long as the program needs them; ``isolated`` programs have a network of their own, and bring our doors with them."""

    prefix: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    files: tuple[int, ...] = ()
    report: int | None = None
    isolated: bool = False

    def end(self) -> None:
        for fd in self.files:
            os.close(fd)


Led = Mapping[str, str]
"""Host name → loopback address."""


@dataclass(frozen=True)
class Way:
    """``kinds`` are the programs it is known to lead; None is every kind. ``is_here`` says whether this machine allows it."""

    name: str
    title: str
    privilege: str
    kinds: frozenset[str] | None
    prepare: Callable[[Led, Mapping[str, str]], Journey]
    is_here: Callable[[], bool] = lambda: True
    several_hosts: bool = True
    except_kinds: frozenset[str] = frozenset()
    leads_addresses: bool = False
    variables: frozenset[str] = frozenset()
    """What it tells the program by its environment: a command that sets one of these itself is not led."""

    def leads(self, kind: str) -> bool:
        return kind not in self.except_kinds and (self.kinds is None or kind in self.kinds)


def sets_itself(command: Sequence[str]) -> frozenset[str]:
    """The variables that an ``env`` before the program sets or takes away; ``*`` is all of them."""
    words = list(command)
    if not words or os.path.basename(words[0]) != "env":
        return frozenset()
    found = set()
    for word in words[1:]:
        name, equals, _ = word.partition("=")
        if word.startswith("-"):
            return frozenset({"*"})
        if not equals:
            break
        found.add(name)
    return frozenset(found)


def leaves_alone(way: Way, command: Sequence[str]) -> bool:
    """Whether *command* does not undo what *way* tells its program; Python's isolated modes undo sitecustomize."""
    own = sets_itself(command)
    if way.variables & own or (way.variables and "*" in own):
        return False
    isolated = way.name == "python" and any(re.fullmatch(r"-[a-zA-Z]*[IES][a-zA-Z]*", w) for w in command[:6])
    return not isolated


def kind_of(command: Sequence[str]) -> str:
    """``libpq``, ``java``, ``node``, ``python``, ``ruby``, ``perl``, ``php``, ``go``; ``""`` for what cannot be told by looking."""
    words = list(command)
    if words and os.path.basename(words[0]) == "env":
        words = words[1:]
        while words and re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*=.*", words[0], re.DOTALL):
            words = words[1:]
    path = shutil.which(words[0]) if words else None
    return "" if path is None else _kind_of_file(os.path.realpath(path))


def _kind_of_file(path: str) -> str:
    try:
        with open(path, "rb") as file:
            head = file.read(256)
    except OSError:
        return ""
    if head.startswith(b"#!"):
        words = head[2:].split(b"\n")[0].decode("utf-8", "replace").split()
        names = [os.path.basename(w) for w in words if not w.startswith("-")]
        name = names[1] if len(names) > 1 and names[0] == "env" else names[0] if names else ""
        return _by_name(name)
    if not head.startswith(b"\x7fELF"):
        return ""
    known = _by_name(os.path.basename(path))
    if known:
        return known
    if is_go(path):
        return "go"
    return "libpq" if b"libpq.so" in Path(path).read_bytes() else ""


def _by_name(name: str) -> str:
    return SCRIPTS.get(re.sub(r"[-0-9.]*$", "", name), "")


# ── by the environment ───────────────────────────────────────────────────────────────────────────


def _hostaddr(led: Led, _env: Mapping[str, str]) -> Journey:
    return Journey(env={"PGHOSTADDR": next(iter(led.values()))})


def _java(led: Led, env: Mapping[str, str]) -> Journey:
    path, fd = _nameless("reroot-hosts", _hosts(led, "127.0.0.1 localhost\n"))
    options = f"{env.get('JAVA_TOOL_OPTIONS', '')} -Djdk.net.hosts.file={path}".strip()
    return Journey(env={"JAVA_TOOL_OPTIONS": options}, files=(fd,))


def _node(led: Led, env: Mapping[str, str]) -> Journey:
    path, fd = _nameless("reroot-report", b"")
    options = f"{env.get('NODE_OPTIONS', '')} --require {HOOKS / 'node.cjs'}".strip()
    return Journey(env={"NODE_OPTIONS": options, "REROOT_HOSTS": _pairs(led), "REROOT_REPORT": path}, files=(fd,), report=fd)


def _python(led: Led, env: Mapping[str, str]) -> Journey:
    path = os.pathsep.join(filter(None, (str(HOOKS), env.get("PYTHONPATH", ""))))
    found = {"PYTHONPATH": path, "REROOT_HOSTS": _pairs(led)}
    return Journey(env=found if len(led) > 1 else found | {"PGHOSTADDR": next(iter(led.values()))})


def _nss_wrapper(led: Led, env: Mapping[str, str]) -> Journey:
    path, fd = _nameless("reroot-hosts", _hosts(led, "127.0.0.1 localhost\n"))
    preload = " ".join(filter(None, (env.get("LD_PRELOAD", ""), "libnss_wrapper.so")))
    return Journey(env={"LD_PRELOAD": preload, "NSS_WRAPPER_HOSTS": path}, files=(fd,))


def _nameless(title: str, content: bytes) -> tuple[str, int]:
    """A file that no folder lists: it is gone when the last process that has it open is."""
    fd = os.memfd_create(title)
    os.write(fd, content)
    return f"/proc/{os.getpid()}/fd/{fd}", fd


def _pairs(led: Led) -> str:
    return ",".join(f"{host}={address}" for host, address in led.items())


def _hosts(led: Led, others: str) -> bytes:
    return ("".join(f"{address} {host}\n" for host, address in led.items()) + others).encode()


# ── by a namespace ───────────────────────────────────────────────────────────────────────────────

_OTHER_HOSTS = r"""
folder=/tmp
mount -t tmpfs -o size=1m,mode=755 reroot $folder || exit 97
printf '%s' "$REROOT_HOSTS_FILE" > $folder/hosts
{ grep -v '^[[:space:]]*hosts:' /etc/nsswitch.conf 2>/dev/null; echo 'hosts: files dns'; } > $folder/nsswitch.conf
mount --bind $folder/hosts /etc/hosts || exit 97
if [ -e /etc/nsswitch.conf ]; then mount --bind $folder/nsswitch.conf /etc/nsswitch.conf || exit 97; fi
if [ -d /run/nscd ]; then mount -t tmpfs -o size=4k reroot /run/nscd || exit 97; fi
umount -l $folder
unset REROOT_HOSTS_FILE
exec "$@"
"""
CANNOT_LEAD = 97
"""Exit code of a prefix that could not lead; the program itself has not run."""


def _mounts(led: Led, _env: Mapping[str, str]) -> Journey:
    prefix = (*_unshare("-m"), "sh", "-c", _OTHER_HOSTS, "reroot", *_back())
    return Journey(prefix, {"REROOT_HOSTS_FILE": _hosts(led, _without(led)).decode()})


def _unshare(*kinds: str) -> tuple[str, ...]:
    return ("unshare", *kinds) if os.geteuid() == 0 else ("unshare", "-U", "-r", *kinds)


def _back() -> tuple[str, ...]:
    """An ordinary user was root within the namespace for the mounts' sake; the program runs as who it is."""
    if os.geteuid() == 0:
        return ()
    return ("unshare", "-U", f"--map-user={os.geteuid()}", f"--map-group={os.getegid()}", "--")


def _without(led: Led) -> str:
    """The machine's own hosts file without the names that are led elsewhere."""
    try:
        lines = Path("/etc/hosts").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = ["127.0.0.1 localhost"]
    kept = []
    for line in lines:
        words = line.partition("#")[0].split()
        names = [w for w in words[1:] if w.lower() not in {h.lower() for h in led}]
        if words and names:
            kept.append(" ".join((words[0], *names)))
    return "\n".join(kept) + "\n"


@lru_cache(maxsize=1)
def _mounts_are_allowed() -> bool:
    return _runs(*_unshare("-m"), "sh", "-c", 'mount -t tmpfs reroot /tmp && umount -l /tmp && exec "$@"', "sh", *_back(), "true")


@lru_cache(maxsize=1)
def _networks_are_allowed() -> bool:
    return _mounts_are_allowed() and _runs(*_unshare("-n", "-m"), "true")


def _runs(*command: str) -> bool:
    try:
        return subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, timeout=10).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def _isolated(led: Led, _env: Mapping[str, str]) -> Journey:
    """A network of its own, in which nothing but our doors can be reached; ``_indoors`` opens them and hands them out."""
    import pkgutil
    import sys

    code = pkgutil.get_data(__package__, "_indoors.py") or b""  # by this road it is found in a zip file too
    indoors = (sys.executable, "-I", "-S", "-c", code.decode())
    prefix = (*_unshare("-n", "-m"), "sh", "-c", _OTHER_HOSTS, "reroot", *indoors, *_back())
    return Journey(prefix, {"REROOT_HOSTS_FILE": _hosts(led, "127.0.0.1 localhost\n").decode()}, isolated=True)


@lru_cache(maxsize=1)
def _nss_wrapper_is_here() -> bool:
    return any(glob(f"{folder}/libnss_wrapper.so*") for folder in ("/usr/lib", "/usr/lib64", "/usr/lib/*-linux-gnu"))


WAYS: tuple[Way, ...] = (
    Way("PGHOSTADDR", "PGHOSTADDR", "none", frozenset({"libpq", "ruby", "perl", "php"}), _hostaddr, several_hosts=False,
        variables=frozenset({"PGHOSTADDR"})),
    Way("java", "-Djdk.net.hosts.file", "none", frozenset({"java"}), _java,
        variables=frozenset({"JAVA_TOOL_OPTIONS"})),
    Way("node", "a look-up hook (NODE_OPTIONS)", "none", frozenset({"node"}), _node, HOOKS.is_dir,
        variables=frozenset({"NODE_OPTIONS"})),
    Way("mounts", "its own /etc/hosts, in a mount namespace", "", None, _mounts, _mounts_are_allowed),
    Way(
        "nss-wrapper", "nss_wrapper (LD_PRELOAD)", "none", None, _nss_wrapper, _nss_wrapper_is_here,
        except_kinds=frozenset({"go", "php"}), variables=frozenset({"LD_PRELOAD", "NSS_WRAPPER_HOSTS"}),
    ),
    Way("python", "sitecustomize (PYTHONPATH) and PGHOSTADDR", "none", frozenset({"python"}), _python, HOOKS.is_dir,
        variables=frozenset({"PYTHONPATH", "PGHOSTADDR"})),
    Way(
        "isolated", "a network of its own, in which only the stage can be reached", "", None, _isolated, _networks_are_allowed,
        leads_addresses=True,
    ),
)  # fmt: skip
NEEDS = {True: "root", False: "user namespaces"}


def privilege(way: Way) -> str:
    """What it takes: ``none``, ``user namespaces`` or ``root``."""
    return way.privilege or NEEDS[os.geteuid() == 0]
