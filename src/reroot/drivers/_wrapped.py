"""
A library that opens no connection itself: its settings are translated to those of the driver beneath, whose rules then hold.

The driver's own version is looked for under its name in ``runtime`` (``{"asyncpg": "0.32.0"}``); the client's ``version`` is the
wrapper's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from ..errors import SettingsError
from ..model import Ask, Endpoint, Given, Reason, Settings, TrustPolicy
from ._driver import Driver

Beneath = tuple[Driver, Given]
Translate = Callable[[Given], Beneath | None]
"""The driver beneath and what it is given; None when it cannot be known. Raises ``SettingsError``."""


def beneath(given: Given, driver: Driver, *, dsn: str | None, options: Mapping[str, object]) -> Beneath:
    """*driver*, given these settings on the same machine."""
    return driver, replace(given, driver=driver.name, version=given.runtime.get(driver.name), dsn=dsn, options=options)


def wrapper(
    *,
    name: str,
    title: str,
    source: str,
    versions: str,
    proven: tuple[str, ...],
    translate: Translate,
    variants: Callable[[Given], tuple[Given, ...]] = lambda given: (given,),
    amend: Callable[[Given, TrustPolicy], TrustPolicy] = lambda given, policy: policy,
) -> Driver:
    """A driver made of a translation.

    *variants* narrows the wrapper's own version to all that it may be; *amend* says what the wrapper changes of the policy.
    """

    def possible(given: Given) -> tuple[Given, ...]:
        found: list[Given] = []
        for variant in variants(given):
            try:
                under = translate(variant)
            except SettingsError:
                under = None
            if under is None:
                found.append(variant)
                continue
            driver, inner = under
            for one in driver.possible(inner):
                named = {} if one.version is None else {driver.name: one.version}
                found.append(replace(variant, runtime={**one.runtime, **named}))
        return tuple(found)

    def read(given: Given) -> Settings:
        under = translate(given)
        if under is None:
            return Settings(given.driver, {}, {}, (Endpoint(host=given.host or "", address=given.host or "unknown"),))
        driver, inner = under
        return replace(driver.read(inner), driver=given.driver)

    def policy(given: Given, settings: Settings) -> TrustPolicy:
        under = translate(given)
        if under is None:
            text = f"the settings do not say which driver {title} stands on here: name it, or rehearse this client"
            return TrustPolicy(Ask.ALWAYS, socket_is_plain=False, undecidable=Reason("unknown-driver", text, source))
        driver, inner = under
        return amend(given, driver.policy(inner, settings))

    return Driver(
        name=name, title=title, source=source, versions=versions, proven=proven, possible=possible, read=read, policy=policy
    )
