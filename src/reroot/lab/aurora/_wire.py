"""
RDS's query protocol, both ways, by botocore's own service model: what boto3 can parse cannot drift from what is said here.

A request's form fields become values by the operation's input shape, values become XML by its output shape. A value that the
shape does not know is an error, so that a field with a typing error is never silently left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from uuid import uuid4
from xml.sax.saxutils import escape


class Fault(Exception):
    """An error answer: *code* as clients see it, an HTTP *status*, and what is said."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code, self.message, self.status = code, message, status


@lru_cache(maxsize=4)
def model(service: str = "rds") -> Any:
    """botocore's model of a service."""
    import botocore.session

    return botocore.session.get_session().get_service_model(service)


@lru_cache(maxsize=64)
def error(shape: str) -> tuple[str, int]:
    """Code and status of an error shape of RDS: ``CertificateNotFoundFault`` → (``CertificateNotFound``, 404)."""
    said = model().shape_for(shape).metadata["error"]
    return str(said["code"]), int(said["httpStatusCode"])


def fault(shape: str, message: str) -> Fault:
    code, status = error(shape)
    return Fault(code, message, status)


# ── requests ─────────────────────────────────────────────────────────────────────────────────────


def arguments(service: str, action: str, fields: Mapping[str, str]) -> dict[str, Any]:
    """The parameters of a request, by the operation's input shape."""
    known = model(service)
    if action not in known.operation_names:
        raise Fault("InvalidAction", f"The action {action} is not valid for this web service.")
    shape = known.operation_model(action).input_shape
    given = {k: v for k, v in fields.items() if k not in ("Action", "Version")}
    found = _structure(shape, given) if shape is not None else {}
    missing = [m for m in (shape.required_members if shape is not None else ()) if m not in found]
    if missing:
        raise Fault("MissingParameter", f"The request must contain the parameter {missing[0]}.")
    return found


def _structure(shape: Any, fields: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, member in shape.members.items():
        beneath = {k[len(name) + 1 :]: v for k, v in fields.items() if k.startswith(f"{name}.")}
        if name in fields:
            found[name] = _scalar(member, fields[name])
        elif beneath:
            found[name] = _list(member, beneath) if member.type_name == "list" else _structure(member, beneath)
    return found


def _list(shape: Any, fields: Mapping[str, str]) -> list[Any]:
    """``Filter.1.Name``, ``Filter.1.Values.Value.1`` … beneath one list's name; ``member`` where the shape names nothing."""
    items: dict[int, dict[str, str]] = {}
    for key, value in fields.items():
        _, _, rest = key.partition(".")
        number, _, inner = rest.partition(".")
        items.setdefault(int(number), {})[inner] = value
    member = shape.member
    return [_scalar(member, i[""]) if "" in i else _structure(member, i) for _, i in sorted(items.items())]


def _scalar(shape: Any, text: str) -> Any:
    if shape.type_name == "boolean":
        return text == "true"
    if shape.type_name in ("integer", "long"):
        return int(text)
    return text


# ── answers ──────────────────────────────────────────────────────────────────────────────────────


def answer(service: str, action: str, values: Mapping[str, Any]) -> bytes:
    """The body of a good answer."""
    known = model(service)
    shape = known.operation_model(action).output_shape
    inner = "" if shape is None else f"<{action}Result>{_xml(shape, values, action)}</{action}Result>"
    return (
        f'<{action}Response xmlns="{known.metadata["xmlNamespace"]}">{inner}'
        f"<ResponseMetadata><RequestId>{uuid4()}</RequestId></ResponseMetadata></{action}Response>"
    ).encode()


def refusal(said: Fault) -> bytes:
    side = "Sender" if said.status < 500 else "Receiver"
    return (
        f"<ErrorResponse><Error><Type>{side}</Type><Code>{escape(said.code)}</Code><Message>{escape(said.message)}</Message>"
        f"</Error><RequestId>{uuid4()}</RequestId></ErrorResponse>"
    ).encode()


def _xml(shape: Any, value: Any, where: str) -> str:
    kind = shape.type_name
    if kind == "structure":
        unknown = set(value) - set(shape.members)
        if unknown:
            raise KeyError(f"{where}: the model knows no {', '.join(sorted(unknown))}")
        return "".join(
            f"<{name}>{_xml(member, value[name], f'{where}.{name}')}</{name}>"
            for name, member in shape.members.items()
            if value.get(name) is not None
        )
    if kind == "list":
        name = shape.member.serialization.get("name", "member")
        return "".join(f"<{name}>{_xml(shape.member, item, where)}</{name}>" for item in value)
    if kind == "timestamp":
        moment: datetime = value
        return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    if kind == "boolean":
        return "true" if value else "false"
    return escape(str(value))
