"""
Every rule that a finding or a reason can name: number, name, what happens, why, whom it concerns, how it is mended.

The text stands here once and becomes the page of ``reroot explain RR104``, the help in SARIF and the reference in the docs. A
number is never used for something else. One file per family, each defining ``FAMILY``: RR0xx reading · RR1xx settings and what
drivers make of them · RR2xx trust stores and bundles · RR3xx clients and ownership · RR4xx servers and chains · RR5xx providers
and infrastructure code · RR6xx plan and gates.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from .. import registry
from ._rule import Rule

__all__ = ["BY_CODE", "BY_NAME", "RULES", "Rule"]

_ALL = sorted(
    (rule for family in registry.find(__name__, __path__, "FAMILY", tuple).values() for rule in family), key=lambda r: r.id
)

RULES: Mapping[str, Rule] = MappingProxyType({rule.id: rule for rule in _ALL})
"""Every rule by its number."""

BY_NAME: Mapping[str, Rule] = MappingProxyType({rule.name: rule for rule in _ALL})
"""Every rule by its name."""

BY_CODE: Mapping[str, Rule] = MappingProxyType({code: rule for rule in _ALL for code in (rule.name, *rule.codes)})
"""Every rule by the codes of the reasons that it explains."""
