"""
What a Node program would do with the next chain, worked out from what its hook saw reach ``tls.connect``.

Node judges a chain after the handshake, so without its key no stage can see the judgement. This is not a rehearsal but a reading of
the program's own options; it is told beside the conclusion and never in its place.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime

from ...model import Reason, Stack
from ...pki import Certificate, TrustSet
from ...pki.judge import check_chain, check_name

SOURCE = "the hook in the program's own process"


def work_out(reports: Iterable[bytes], chain: Sequence[bytes], when: datetime) -> tuple[Reason, ...]:
    """One reason for each distinct way in which the program called ``tls.connect``."""
    certificates = tuple(Certificate(der) for der in chain)
    return tuple(dict.fromkeys(_one(json.loads(line), certificates, when) for line in reports))


def _one(seen: dict[str, object], chain: tuple[Certificate, ...], when: datetime) -> Reason:
    if not seen["verifies"]:
        return Reason("node-verifies-nothing", "the program told Node to verify nothing", SOURCE)
    if seen["own_context"] or seen["own_name_check"]:
        return Reason(
            "node-own-check", "the program brings a context or a name check of its own, which cannot be read from outside", SOURCE
        )
    if not seen["own_roots"]:
        more = f", and `{seen['extra']}`" if seen["extra"] else ""
        return Reason("node-bundled-roots", f"the program trusts the public roots built into Node {seen['node']}{more}", SOURCE)
    roots = tuple(Certificate(bytes.fromhex(str(r))) for r in _list(seen["roots"]))
    found = check_chain(Stack("openssl", str(seen["openssl"]), security_level=1), chain, TrustSet(roots), when)
    names = check_name("node", chain[0], str(seen["host"] or "")) if seen["host"] else ()
    held = f"{len(roots)} root{'s' * (len(roots) != 1)} of its own"
    if found.trusted and not names:
        return Reason("node-would-trust", f"Node verifies, and {held} lead to the next chain", SOURCE)
    if found.trusted is False or names:
        why = "; ".join(r.text for r in (*found.reasons, *names)[:2])
        return Reason("node-would-reject", f"Node verifies, and would refuse the next chain with {held}: {why}", SOURCE)
    return Reason("node-unclear", f"Node verifies with {held}; whether they lead to the next chain is not known", SOURCE)


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []
