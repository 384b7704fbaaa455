"""Vendors of face checks as far as the adapters know them: stubs, real servers on this machine that speak their form.

They compare pictures by their digests: the astronaut's own is like her, every other is not. `mood` is accept,
unavailable, garbled, spoof, pending or expired.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar, Final, Self

from tests.face import sitters

HERSELF: Final = sitters.jpeg(sitters.astronaut())
FACES: Final = {HERSELF: 99.9, sitters.jpeg(sitters.somebody_else()): 3.0}
"""Pictures in which a stub sees a face, and how like the astronaut it is."""
SECRET: Final = "a secret of more than sixteen bytes"


class Stub:
    """A vendor's server. `sessions` are those made, `asked` what was asked of it."""

    HANDLER: ClassVar[type[BaseHTTPRequestHandler]]

    def __init__(self) -> None:
        self.mood = "accept"
        self.sessions: set[str] = set()
        self.finished: set[str] = set()
        self.asked: list[str] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (self.HANDLER,), {"stub": self}))
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})

    def __enter__(self) -> Self:
        """Listen."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Go away."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def made(self) -> str:
        """A new session."""
        session = str(uuid.uuid4())
        self.sessions.add(session)
        return session


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    stub: Any

    def do_POST(self) -> None:
        """Answer one call."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.stub.mood == "unavailable":
            self.told(503, b"{}")
        elif self.stub.mood == "garbled":
            self.told(200, b'{"SessionId": 5, "check": [')
        else:
            status, answer = self.answered(body)
            self.told(status, json.dumps(answer).encode())

    def answered(self, body: bytes) -> tuple[int, dict[str, Any]]:
        """What this vendor answers."""
        raise NotImplementedError

    def told(self, status: int, body: bytes) -> None:
        """Send an answer."""
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as http.server calls it
        """Say nothing."""


class _Rekognition(_Handler):
    def answered(self, body: bytes) -> tuple[int, dict[str, Any]]:
        """The three operations that are used."""
        fields = json.loads(body)
        operation = self.headers["X-Amz-Target"].partition(".")[2]
        self.stub.asked.append(operation)
        match operation:
            case "CreateFaceLivenessSession":
                return 200, {"SessionId": self.stub.made()}
            case "GetFaceLivenessSessionResults":
                return self.results(fields["SessionId"])
            case _:
                return self.compared(base64.b64decode(fields["SourceImage"]["Bytes"]))

    def results(self, session: str) -> tuple[int, dict[str, Any]]:
        """How a session went."""
        if session not in self.stub.sessions:
            return 400, {"__type": "SessionNotFoundException", "Message": "no such session, and what you sent"}
        if self.stub.mood == "expired" or session not in self.stub.finished:
            return 200, {"SessionId": session, "Status": "EXPIRED" if self.stub.mood == "expired" else "CREATED"}
        said: dict[str, Any] = {
            "SessionId": session,
            "Status": "SUCCEEDED",
            "Confidence": 4.2 if self.stub.mood == "spoof" else 99.1,
        }
        challenge = {"Type": "FaceMovementAndLightChallenge", "Version": "2.0.0"}
        picture = {"Bytes": base64.b64encode(HERSELF).decode()}
        return 200, said | {"Challenge": challenge, "ReferenceImage": picture}

    @staticmethod
    def compared(source: bytes) -> tuple[int, dict[str, Any]]:
        """Whose face it is."""
        if source not in FACES:
            return 400, {"__type": "InvalidImageFormatException", "Message": "no face"}
        return 200, {"FaceMatches": [{"Similarity": FACES[source], "Face": {"Confidence": 99.9}}]}


class _Vendor(_Handler):
    def answered(self, body: bytes) -> tuple[int, dict[str, Any]]:
        """The two calls."""
        self.stub.asked.append(self.path)
        if self.headers["Authorization"] != "Bearer key":
            return 401, {}
        if self.path == "/checks":
            return 200, {"check": self.stub.made(), "page": "https://vendor.example/film"}
        session = self.path.split("/")[2]
        if session not in self.stub.sessions:
            return 404, {}
        if session not in self.stub.finished or self.stub.mood == "pending":
            return 200, {"status": "pending"}
        live: dict[str, Any] = {
            "verdict": "fail" if self.stub.mood == "spoof" else "pass",
            "score": 0.97,
            "scale": "probability",
        }
        live |= {"threshold": 0.9, "method": "active", "version": "7"}
        like: dict[str, Any] = {"verdict": "not_evaluated", "why": "no_face"}
        if body in FACES:
            like = live | {"verdict": "pass" if FACES[body] > 90 else "fail"}
        return 200, {"status": "done", "match": like, "challenge": live, "capture_assurance": "attested"}


class FarRekognition(Stub):
    """Amazon's endpoint."""

    HANDLER = _Rekognition


class FarVendor(Stub):
    """A vendor's endpoint."""

    HANDLER = _Vendor


def signed(body: bytes, secret: str = SECRET) -> dict[str, str]:
    """The header of a vendor's message."""
    return {"X-HMAC-Signature": hmac.digest(secret.encode(), body, hashlib.sha256).hex()}
