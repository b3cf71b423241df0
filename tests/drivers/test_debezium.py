"""Debezium: each row of its table, known from its source only; pgJDBC beneath it was run."""

from __future__ import annotations

import pytest

from reroot import drivers
from reroot.model import Given
from tests.drivers.tables import client, said

AT = {"database.hostname": "db.corp.test", "database.dbname": "app", "database.password": "hunter2"}
ROWS = [
    (AT | {"database.sslmode": "disable"}, "plain"),
    (AT | {"database.sslmode": "prefer"}, "prefer plain-ok"),
    (AT | {"database.sslmode": "require", "database.sslrootcert": "/r.pem"}, "tls"),
    (AT | {"database.sslmode": "verify-full", "database.sslrootcert": "/r.pem"}, "tls full setting"),
    (AT | {"database.sslmode": "VERIFY-CA", "database.sslrootcert": "/r.pem"}, "tls chain setting"),
    (AT | {"database.sslmode": "verify_full"}, "error"),
]


@pytest.mark.parametrize(("options", "expected"), ROWS)
def test_a_connector_means_what_pgjdbc_makes_of_it(options, expected):
    assert said(client("debezium", "2.7", options=options, runtime={"pgjdbc": "42.7.4", "java": "17"})) == expected


def test_where_no_mode_is_set_both_defaults_that_there_were_are_considered():
    def ways(version):
        found = drivers.find("debezium").possible(Given("debezium", version, {"pgjdbc": "42.7.4"}, options=AT))
        return {said(one) for one in found}

    assert ways("2.7") == ways(None) == {"prefer plain-ok", "plain"}
    assert ways("1.9") == {"plain"}
