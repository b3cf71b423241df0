"""The ADBC driver: libpq by a URI (run with 1.13.0 and the libpq 18 of its wheel: tests/real)."""

from __future__ import annotations

import pytest

from reroot import drivers
from reroot.errors import SettingsError
from reroot.model import Ask, Check, Given

DRIVER = drivers.find("adbc")


@pytest.mark.parametrize(
    ("more", "ask", "check"),
    [
        pytest.param({"dsn": "postgresql://u@db/x"}, Ask.IF_OFFERED, Check.NOTHING, id="nothing-set-is-libpqs-prefer"),
        pytest.param({"dsn": "postgresql://u@db/x?sslmode=require"}, Ask.ALWAYS, Check.NOTHING, id="require"),
        pytest.param({"options": {"uri": "host=db sslmode=disable"}}, Ask.NEVER, Check.NOTHING, id="uri-as-an-option"),
        pytest.param(
            {"dsn": "host=db sslmode=disable", "options": {"adbc.connection.autocommit": "false"}},
            Ask.NEVER,
            Check.NOTHING,
            id="options-of-its-own",
        ),
    ],
)
def test_settings_mean_what_its_libpq_makes_of_them(more, ask, check):
    given = Given("adbc", "1.13.0", {"libpq": "18"}, home="/nowhere", **more)
    policy = DRIVER.policy(given, DRIVER.read(given))
    assert (policy.ask, policy.check) == (ask, check)


def test_what_libpq_refuses_it_refuses():
    with pytest.raises(SettingsError):
        DRIVER.read(Given("adbc", "1.13.0", {"libpq": "18"}, dsn="postgresql://u@db/x?ssl=true&sslmode=maybe", home="/nowhere"))
