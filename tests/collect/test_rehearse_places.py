"""Where a command goes, as its words show it."""

from __future__ import annotations

import pytest

from reroot.collect.rehearse._places import places_in


@pytest.mark.parametrize(
    ("command", "env", "expected"),
    [
        pytest.param("psql postgres://u:p@a.x:1,b.x:2/db", {}, ["a.x:1", "b.x:2"], id="url"),
        pytest.param("psql postgres://a.x,b.x:2/db?sslmode=require", {}, ["a.x:5432", "b.x:2"], id="url-one-port"),
        pytest.param("psql host=a.x,b.x\\ port=1,2", {}, ["a.x:1", "b.x:2"], id="keywords"),
        pytest.param("psql host=a.x,b.x\\ port=1", {}, ["a.x:1", "b.x:1"], id="one-port-for-all"),
        pytest.param("run host=a.x,port=5,user=b", {}, ["a.x:5"], id="commas-between-keywords"),
        pytest.param("psql -h a.x,b.x -p 1,2", {}, ["a.x:1", "b.x:2"], id="options"),
        pytest.param("psql", {"PGHOST": "a.x,/run/pg", "PGPORT": "7"}, ["a.x:7"], id="environment-with-a-socket"),
    ],
)
def test_every_host_of_a_list_is_led_so_that_none_is_the_real_server(command, env, expected):
    import shlex

    assert [str(p) for p in places_in(shlex.split(command), env)] == expected
