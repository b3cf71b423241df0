"""What one family of certificate authorities must say."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from importlib.resources import files

from ..errors import InputError
from ..pki.certificate import Certificate

BLOCK = re.compile(rb"-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----")


@dataclass(frozen=True, slots=True)
class Root:
    """One certificate of a family. ``id`` is the provider's own word for it (``rds-ca-2019``), ``region`` where it is used.

    ``stage`` is ``""`` for production, else ``beta`` or ``preview``. ``is_root`` is false for an intermediate.
    """

    certificate: Certificate
    id: str
    region: str = ""
    stage: str = ""
    is_root: bool = True

    def serves(self, region: str, when: datetime) -> bool:
        """Whether a client of servers in *region* has a use for it at *when*: a production root that is in its time."""
        here = not self.region or not region or self.region == region
        return here and self.is_root and not self.stage and self.certificate.is_valid_at(when)


@dataclass(frozen=True)
class Family:
    """The roots of one provider: data of this package, every fingerprint pinned.

    ``word`` is what stands before the colon in ``--for aws:eu-west-1``. ``file`` names the data, ``""`` when none is
    shipped and ``hint`` says how to get it. ``addresses`` are where the provider publishes its bundle, and ``describe``
    reads one certificate. ``elsewhere`` says of a region where its roots are had when they are not among ours, else ``""``.
    """

    word: str
    title: str
    source: str
    file: str = ""
    addresses: tuple[str, ...] = ()
    hint: str = ""
    describe: Callable[[Certificate], Root] | None = None
    elsewhere: Callable[[str], str] | None = None

    @cached_property
    def roots(self) -> tuple[Root, ...]:
        if not self.file or self.describe is None:
            return ()
        bodies = BLOCK.findall(self._data(f"{self.file}.pem"))
        return tuple(self.describe(Certificate(base64.b64decode(body))) for body in bodies)

    @cached_property
    def pinned(self) -> frozenset[str]:
        """SHA-256 fingerprints of every certificate that is known to be of this family."""
        if not self.file:
            return frozenset()
        return frozenset(line.split()[0] for line in self._data(f"{self.file}.sha256").decode().splitlines() if line.strip())

    @property
    def regions(self) -> tuple[str, ...]:
        return tuple(sorted({root.region for root in self.roots if root.region and not root.stage}))

    def _data(self, name: str) -> bytes:
        return (files(__package__) / "data" / name).read_bytes()

    def where(self, region: str) -> str:
        """How the roots of a region are had that are published apart from ours; ``""`` where nothing is known of it."""
        return self.elsewhere(region) if self.elsewhere else ""

    def select(self, region: str, when: datetime, *, ids: tuple[str, ...] = ()) -> tuple[Root, ...]:
        """The fewest roots that a client of this region needs; with *ids* only those, whatever else is served."""
        if region and self.regions and region not in self.regions:
            raise InputError(
                f"`{region}` is no region of {self.title} that reroot has roots for", hint=self.where(region) or _near(region, self.regions)
            )
        known = {root.id for root in self.roots}
        unknown = [id for id in ids if id not in known]
        if unknown:
            raise InputError(
                f"`{unknown[0]}` is no root of {self.title}", hint=f"there are {', '.join(f'`{k}`' for k in sorted(known))}"
            )
        return tuple(root for root in self.roots if root.serves(region, when) and (not ids or root.id in ids))


def _near(word: str, known: tuple[str, ...]) -> str:
    from difflib import get_close_matches

    close = get_close_matches(word, known, 3) or list(known[:6])
    return f"did you mean {' or '.join(f'`{k}`' for k in close)}?"
