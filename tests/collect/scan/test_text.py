"""Places survive every encoding: what is read can be written back byte for byte."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from reroot.collect.scan._text import Text


@given(st.binary(max_size=200))
def test_any_bytes_come_back_as_they_were(data: bytes) -> None:
    text = Text.decode("x", data)
    assert text.encode(text.text) == data


@given(st.text(alphabet="ab\n\r\té€", max_size=60), st.data())
def test_a_place_is_where_an_editor_would_put_it(body: str, data: st.DataObject) -> None:
    offset = data.draw(st.integers(0, len(body)))
    line, column = Text("x", body).place(offset)
    before = body[:offset]
    assert (line, column) == (before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1)


def test_text_within_a_text_knows_its_place_in_the_file() -> None:
    whole = Text("f.yaml", "data:\n  a.env: |\n    A=1\n    B=2\n")
    inner = whole.inside("f.yaml/a.env", [(21, 25), (29, 33)])
    assert inner.text == "A=1\nB=2\n"
    assert whole.place(inner.at(inner.text.index("B"))) == (4, 5)
