"""What is built can be read back; what cannot be an opening is refused before it costs anything."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reroot import wire
from reroot.errors import InputError

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=40)
NAME = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), min_size=1, max_size=40)
PAIRS = st.lists(st.tuples(NAME, TEXT), max_size=12).map(tuple)
LETTERS = st.characters(min_codepoint=0x21, max_codepoint=0x7E)
FIELDS = st.lists(st.tuples(LETTERS, TEXT), min_size=1, max_size=18).map(tuple)
OPENINGS = st.one_of(
    st.just((wire.SSLRequest(), wire.ssl_request())),
    st.just((wire.GSSENCRequest(), wire.gssenc_request())),
    st.builds(
        lambda pid, key: (wire.CancelRequest(pid, key), wire.cancel_request(pid, key)),
        st.integers(0, 2**32 - 1),
        st.binary(min_size=4, max_size=256),
    ),
    st.builds(
        lambda pairs, protocol: (wire.StartupMessage(pairs, protocol), wire.startup(pairs, protocol)),
        PAIRS,
        st.sampled_from([wire.PROTOCOL_3_0, wire.PROTOCOL_3_2, (3, 9999)]),
    ),
)


def test_the_requests_are_the_bytes_of_the_manual():
    assert wire.ssl_request() == bytes.fromhex("0000000804d2162f")
    assert wire.gssenc_request() == bytes.fromhex("0000000804d21630")
    assert wire.cancel_request(1, b"\0\0\0\2") == bytes.fromhex("0000001004d2162e0000000100000002")
    assert wire.startup((("user", "a"),)) == b"\0\0\0\x10\0\3\0\0user\0a\0\0"


@given(OPENINGS, st.binary(max_size=8))
def test_an_opening_reads_back_whatever_follows_it(opening, rest):
    value, data = opening
    assert wire.read_opening(data + rest) == (value, len(data))


@given(OPENINGS, st.data())
def test_a_torn_opening_asks_for_more(opening, data):
    whole = opening[1]
    assert wire.read_opening(whole[: data.draw(st.integers(0, len(whole) - 1))]) is None


@given(st.binary(max_size=64))
def test_any_bytes_are_an_opening_or_refused_or_not_yet_whole(data):
    try:
        found = wire.read_opening(data)
    except InputError:
        return
    assert found is None or isinstance(found[0], wire.DirectTLS) or 0 < found[1] <= len(data)


@given(st.binary(max_size=200).filter(lambda raw: b"\0" not in raw))
def test_a_name_that_is_no_utf_8_survives(raw):
    text = raw.decode("utf-8", "surrogateescape")
    opening, _ = wire.read_opening(wire.startup((("user", text),)))
    assert opening.get("user").encode("utf-8", "surrogateescape") == raw


def test_direct_tls_is_recognised_and_left_unread():
    assert wire.read_opening(b"\x16") == (wire.DirectTLS(), 0)


def test_of_a_parameter_given_twice_the_last_counts():
    opening, _ = wire.read_opening(wire.startup((("user", "a"), ("user", "b"))))
    assert opening.get("user") == "b"
    assert opening.get("database", "none") == "none"


def test_a_cancellation_key_is_not_shown():
    assert "secret" not in repr(wire.CancelRequest(7, b"secret!!"))


@pytest.mark.parametrize(
    ("data", "says"),
    [
        pytest.param(b"GET / HTTP/1.1\r\n", "claims", id="a-web-client"),
        pytest.param(b"\0\0\0\7\0\3\0\0", "claims", id="shorter-than-its-head"),
        pytest.param(b"\0\0\x27\x11\0\3\0\0", "10001", id="longer-than-a-server-takes"),
        pytest.param(b"\0\0\0\x0c\x04\xd2\x16\x2f", "12 bytes", id="an-ssl-request-with-a-body"),
        pytest.param(b"\0\0\0\x08\0\2\0\0", "`2.0`", id="protocol-2"),
        pytest.param(b"\0\0\0\x0c\x04\xd2\x16\x2e\0\0\0\1", "4 bytes", id="a-cancel-request-without-a-key"),
        pytest.param(b"\0\0\0\x0f\0\3\0\0user\0a\0", "end", id="parameters-without-an-end"),
        pytest.param(b"\0\0\0\x0d\0\3\0\0user\0", "end", id="a-name-without-a-value"),
        pytest.param(b"\0\0\0\x08\0\3\0\0", "end", id="no-parameters-and-no-end"),
    ],
)
def test_what_no_server_would_take_is_refused(data, says):
    with pytest.raises(InputError) as caught:
        wire.read_opening(data)
    assert says in caught.value.message


@pytest.mark.parametrize(
    "build",
    [
        pytest.param(lambda: wire.startup((("", "x"),)), id="a-parameter-without-a-name"),
        pytest.param(lambda: wire.startup((("user", "a\0b"),)), id="a-value-with-nul"),
        pytest.param(lambda: wire.startup((("user", "a" * 10_000),)), id="a-packet-too-long"),
        pytest.param(lambda: wire.cancel_request(1, b"abc"), id="a-key-too-short"),
        pytest.param(lambda: wire.error_response((("SS", "x"),)), id="a-field-of-two-letters"),
        pytest.param(lambda: wire.error_response((("S", "x\0"),)), id="a-field-with-nul"),
    ],
)
def test_what_could_not_be_read_back_is_not_built(build):
    with pytest.raises(InputError):
        build()


@given(FIELDS, st.binary(max_size=8))
def test_an_error_reads_back_whatever_follows_it(fields, rest):
    assert wire.read_error(wire.error_response(fields) + rest) == wire.ErrorResponse(fields)


@given(FIELDS, st.data())
def test_a_torn_error_asks_for_more(fields, data):
    whole = wire.error_response(fields)
    assert wire.read_error(whole[: data.draw(st.integers(0, len(whole) - 1))]) is None


@given(st.binary(max_size=64))
def test_any_bytes_are_an_error_or_refused_or_not_yet_whole(data):
    try:
        found = wire.read_error(b"E" + data)
    except InputError:
        return
    assert found is None or isinstance(found, wire.ErrorResponse)


def test_the_fields_of_an_error_have_names():
    error = wire.ErrorResponse((("S", "FATAL"), ("V", "FATAL"), ("C", "28000"), ("M", "no"), ("M", "second")))
    assert (error.severity, error.sqlstate, error.message, error.field("H")) == ("FATAL", "28000", "no", "")


def test_a_server_that_cannot_fork_is_understood():
    said = b"Ecould not fork new process for connection: Cannot allocate memory\n\0"
    assert wire.read_error(said[:-1]) is None
    assert wire.read_error(said).message == "could not fork new process for connection: Cannot allocate memory"


def test_an_error_without_an_end_is_given_up_on():
    with pytest.raises(InputError):
        wire.read_error(b"Ecould not" + b"x" * wire.MAX_ERROR)
