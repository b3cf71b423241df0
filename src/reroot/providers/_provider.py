"""What one provider file must say, and what it is given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from ..pki.certificate import Certificate


@dataclass(frozen=True, slots=True)
class Site:
    """One server to change: ``options`` are the provider's own, as the inventory has them, relative paths from ``base``.

    ``address`` is dialled in place of what ``host`` resolves to. ``old_root`` and ``next_root`` are the roots being rotated.
    """

    name: str
    host: str
    port: int
    old_root: Certificate
    next_root: Certificate
    options: Mapping[str, object] = field(default_factory=dict, repr=False)
    base: Path = Path()
    address: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """What is configured, which says nothing of what is served. Chains are leaf first.

    ``configured`` is what a start of the server would load, ``next`` what it is to serve, ``previous`` what a rollback would
    bring back (empty: nothing was cut over yet). ``layout`` names how the pair lies on disk; ``notes`` are for a person.

    A provider that makes the server's certificate itself, at the cut-over, knows no chain beforehand: ``issued_by`` is the root
    that the next one will lead to, ``was_issued_by`` the one that a rollback would bring back. ``told_next`` is its own word that the
    server was changed, or is about to be, whatever it shows: no proof of it, but reason enough to take it back. ``peers`` are the
    servers that fail over to this one, as the provider has them now: name, host, port.
    """

    configured: tuple[Certificate, ...]
    next: tuple[Certificate, ...]
    previous: tuple[Certificate, ...] = ()
    layout: str = ""
    notes: tuple[str, ...] = ()
    issued_by: Certificate | None = None
    was_issued_by: Certificate | None = None
    told_next: bool = False
    peers: tuple[tuple[str, str, int], ...] = ()


Notes = tuple[str, ...]


@dataclass(frozen=True)
class Provider:
    """How one kind of server is changed. Every act may be done twice, and never grades itself: a probe does.

    ``discover(site)`` reads and changes nothing. ``stage(site, when)`` puts the next pair beside the current one and checks it.
    ``cut_over(site)`` and ``roll_back(site)`` switch in one step. They return notes for the journal, and raise
    ``ProviderError`` with the server as it was, or ``RollbackFailed``. ``describe(site)`` says in advance what would be done.
    ``refused(site, since)``, where a provider has it, waits a while and names whom the server's own log shows to have refused
    its certificate. A provider that ``issues`` makes the server's certificate itself: what is to be seen after an act is a chain to
    one of the site's roots, and ``discover`` need not be asked for it.
    """

    title: str
    discover: Callable[[Site], Found]
    stage: Callable[[Site, datetime], Notes]
    cut_over: Callable[[Site], Notes]
    roll_back: Callable[[Site], Notes]
    describe: Callable[[Site], Notes]
    refused: Callable[[Site, datetime], Notes] | None = None
    issues: bool = False
