"""
Wires the rooms: looks at a fleet, judges it, and performs a rotation's steps.

    survey.look(inventory)              the fleet as it is now, as a plan
    fleet.Fleet                         the acts and probes that a step is performed with
    perform.perform(plan, fleet, …)     a rotation, journaled before each step and after it
"""

from __future__ import annotations

from .fleet import Fleet, fleet_of
from .perform import Event, Result, perform, take_back, try_out
from .survey import look

__all__ = ["Event", "Fleet", "Result", "fleet_of", "look", "perform", "take_back", "try_out"]
