"""A program in a cell that reads many mutations of one mail, as the reader of mails reads one."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING

import msgspec
from tests.documents.fuzzing import Tally, mutated

from holdback.evidence.confined import serve
from holdback.evidence.mail import Job
from holdback.evidence.mail_reading import read
from holdback.ports import MailOutcome

if TYPE_CHECKING:
    from collections.abc import Callable


class Batch(msgspec.Struct, frozen=True):
    """A mail to mutate, once for each seed, and the record that every name has."""

    job: Job
    record: bytes
    seeds: tuple[int, ...]


def said(mail: bytes) -> tuple[bytes, list[bytes]]:
    """What a person is told: the body but for blank lines at its end, and who it is from."""
    head, _, body = mail.replace(b"\r\n", b"\n").partition(b"\n\n")
    senders = [line for line in head.split(b"\n") if line.lower().startswith(b"from:")]
    return body.rstrip(b"\n"), [b"".join(one.lower().split()) for one in senders]


def main() -> None:
    """Read a batch."""

    def converse(words: bytes, ask: Callable[[bytes], bytes]) -> bytes:  # noqa: ARG001 - the records are there already
        batch = msgspec.msgpack.decode(words, type=Batch)
        outcomes: Counter[str] = Counter()
        slowest, passed = 0.0, []
        for seed in batch.seeds:
            mail = mutated(batch.job.mail, seed)
            began = time.process_time()
            job = msgspec.structs.replace(batch.job, mail=mail)
            found = read(job, lambda names: {name: [batch.record] for name in names})
            slowest = max(slowest, time.process_time() - began)
            outcomes[found.outcome] += 1
            if found.outcome is MailOutcome.VALID and said(mail) != said(batch.job.mail):
                passed.append(seed)
        return msgspec.msgpack.encode(Tally(dict(outcomes), slowest, tuple(passed)))

    serve(converse)


if __name__ == "__main__":
    main()
