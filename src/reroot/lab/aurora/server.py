"""
The stand-in's door: RDS's HTTP protocol on loopback, for boto3, the AWS command line and whatever else speaks it.

Which region and account is meant is read from the request's signature, as the real service does; the signature itself is not
checked. The same door answers STS's ``AssumeRole`` and ``GetCallerIdentity``.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl

from . import _wire
from ._answers import LOOKS, Values
from ._changes import CHANGES
from ._faults import BROKEN, THROTTLED
from ._wire import Fault
from .world import World, soon

SIGNED = re.compile(r"Credential=([^/]+)/\d{8}/([^/]+)/([^/]+)/aws4_request")
KEY, SECRET = "AKIALABLABLABLABLAB0", "lab"
"""A login that the stand-in takes, and no one else does."""


NOWHERE = "/nonexistent/reroot-lab"
"""A machine's own logins must not be read; a device in their place would be, by some versions."""


class Api:
    """The stand-in, listening. A context manager; ``url`` is what ``--endpoint-url`` and ``AWS_ENDPOINT_URL`` take."""

    def __init__(self, world: World, port: int = 0) -> None:
        self.world = world
        self.lent: list[str] = []
        api = self

        class Door(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # head and body in one packet
            disable_nagle_algorithm = True

            def log_message(self, *_: object) -> None:
                pass

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", "0"))).decode()
                said = api.answer(self.headers.get("Authorization", ""), dict(parse_qsl(body, keep_blank_values=True)))
                if said is None:  # the connection ends without a word
                    self.close_connection = True
                    return
                status, content = said
                self.send_response(status)
                self.send_header("content-type", "text/xml")
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

        class Listening(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 64

            def handle_error(self, *_: object) -> None:
                """A client that hung up is no news."""

        self._http = Listening(("127.0.0.1", port), Door)
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_port}"

    def environment(self, region: str = "us-east-1") -> Mapping[str, str]:
        """What a program's environment needs to talk to this stand-in and to nobody else."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_DEFAULT_REGION": region,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_SESSION_TOKEN": "",
            "AWS_CONFIG_FILE": NOWHERE,
            "AWS_SHARED_CREDENTIALS_FILE": NOWHERE,
        }

    def __enter__(self) -> Api:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def answer(self, authorization: str, fields: Mapping[str, str]) -> tuple[int, bytes] | None:
        """Status and body for one request; None is a connection that ends after the act."""
        action = fields.get("Action", "")
        try:
            key, region, service = _who(authorization)
            befalls = self._befalls(action, key, region, service)
            values = self._do(action, region, service, fields)
        except Fault as fault:
            return fault.status, _wire.refusal(fault)
        if befalls == "cut":
            return None
        if befalls == "error after":
            return BROKEN.status, _wire.refusal(BROKEN)
        return 200, _wire.answer(service, action, values)

    def _befalls(self, action: str, key: str, region: str, service: str) -> str:
        faults = self.world.faults
        with self.world.lock:
            self.world.calls.append((self.world.course.now(), service, region, action))
            befalls = faults.before(action)
        if key in faults.expired:
            raise Fault("ExpiredToken", "The security token included in the request is expired", 403)
        here = self.world.regions.get(region)
        if service == "rds" and (here is None or here.off):
            raise Fault("InvalidClientTokenId", "The security token included in the request is invalid.", 403)
        if action in faults.denied:
            raise Fault("AccessDenied", f"User: lab is not authorized to perform: {service}:{action} on resource: *", 403)
        if befalls == "throttle":
            raise THROTTLED
        if befalls == "error":
            raise BROKEN
        return befalls

    def _do(self, action: str, region: str, service: str, fields: Mapping[str, str]) -> Values:
        given = _wire.arguments(service, action, fields)
        if action == "AssumeRole":
            return self._assumed(given)
        act = LOOKS.get(action) or CHANGES.get(action)
        if act is None:
            raise Fault("InvalidAction", f"The stand-in does not know {action}.")
        with self.world.lock:
            return act(self.world, region, given)

    def _assumed(self, given: Mapping[str, Any]) -> Values:
        """A key of its own for each time that a role is assumed, so that one can expire without the others."""
        with self.world.lock:
            lent = f"ASIALABLABLABLAB{len(self.lent):04}"
            self.lent.append(lent)
        return {
            "Credentials": {"AccessKeyId": lent, "SecretAccessKey": SECRET, "SessionToken": "lab", "Expiration": soon(3600)},
            "AssumedRoleUser": {"AssumedRoleId": "AROALAB:reroot", "Arn": given["RoleArn"]},
        }


def _who(authorization: str) -> tuple[str, str, str]:
    signed = SIGNED.search(authorization)
    if signed is None:
        raise Fault("MissingAuthenticationToken", "Request is missing Authentication Token", 403)
    return signed[1], signed[2], signed[3]
