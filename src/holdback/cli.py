"""The `holdback` command. Each command's help ends with examples; `--json` prints one object for machines."""

from __future__ import annotations

import asyncio
import getpass
import inspect
import os
import re
import secrets
import sys
import time
from pathlib import Path  # noqa: TC003 - the command line reads it from the signatures
from typing import TYPE_CHECKING, Annotated, BinaryIO, TypeVar

import msgspec
from cyclopts import App, Parameter
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

import holdback
from holdback import (
    audit,
    backup,
    bench,
    demo,
    desk,
    first_members,
    leaked_keys,
    leaks,
    lists,
    marking,
    timeline,
    wiring,
)
from holdback.core.events import BREAKER, HOUR
from holdback.core.policy import PolicyError
from holdback.core.state import Member
from holdback.desk import Desk
from holdback.evidence.breached import BadList, Breached, compile_list
from holdback.evidence.password import Passwords
from holdback.intake import BadRequest
from holdback.lab import report
from holdback.lab.playbooks import PlaybookError
from holdback.lab.player import play as play_stories
from holdback.ports import ChannelRefused, ChannelUnavailable, NewerDatabase, StoreUnavailable
from holdback.receipts import ReceiptForged, ReceiptKeys
from holdback.roster import roster
from holdback.sealing import MasterKeys
from holdback.web import keys as platform_keys
from holdback.web import serving
from holdback.webhooks import post_test
from holdback.wording.words import instant_text

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from holdback.core.state import Head
    from holdback.ports import Store
    from holdback.service import Service

T = TypeVar("T")

FAULTS_SHOWN = 50
LINES_SHOWN = 50
AHEAD_MOST_H = 31 * 24

out = Console()
err = Console(stderr=True)

app = App(
    name="holdback",
    version=holdback.__version__,
    help="Holds money back until the true owner has had time and a way to speak.",
    help_format="markdown",
)
keys = App(name="keys", help="Make, list and retire keys.", help_format="markdown")
policy = App(name="policy", help="Look at policies before they are obeyed.", help_format="markdown")
letters = App(name="dead-letters", help="Notices that could not be delivered.", help_format="markdown")
staff = App(name="staff", help="Who belongs to the staff, and the first of them.", help_format="markdown")
passwords = App(name="passwords", help="The list of passwords that thieves know.", help_format="markdown")
app.command(passwords)
app.command(keys)
app.command(policy)
app.command(letters)
app.command(staff)
desks = App(name="desk", help="What waits for people.", help_format="markdown")
app.command(desks)
api_keys = App(name="api-keys", help="API keys of customers.", help_format="markdown")
app.command(api_keys)
listing = App(name="lists", help="Lists of addresses that nobody is paid at.", help_format="markdown")
app.command(listing)

hooks = App(name="webhooks", help="What the platform is told of holds.", help_format="markdown")
app.command(hooks)

Flag = Annotated[bool, Parameter(negative="")]
Json = Annotated[bool, Parameter(name="--json", negative="", help="Print one JSON object.")]


def _print_json(value: object) -> None:
    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")


def _wrong(text: str) -> None:
    """What is wrong, in one line, whatever its words look like and however narrow the terminal is."""
    err.print(text, style="red", markup=False, highlight=False, soft_wrap=True)


def _with_service(work: Callable[[Service], Awaitable[T]]) -> T:
    """Run one command's work over the store that the environment names, which must be there with its schema.

    Only `migrate` and `serve` change a schema: a look at production from a newer checkout must not.
    """

    async def run() -> T:
        settings = wiring.settings_from(os.environ)
        wiring.must_exist(settings)
        async with wiring.running(settings, migrates=False) as (service, _outbox):
            return await work(service)

    return asyncio.run(run())


def _with_store(work: Callable[[Store], Awaitable[T]], *, new: bool = False) -> T:
    """The same for work that needs no keys. `new`: the store may be one that this command makes."""

    async def run() -> T:
        settings = wiring.settings_from(os.environ)
        if not new:
            wiring.must_exist(settings)
        store = wiring.open_store(settings)
        try:
            if not new:
                await store.check_schema()
            return await work(store)
        finally:
            await store.close()

    return asyncio.run(run())


def _progress(what: str) -> Progress:
    columns = (SpinnerColumn(), TextColumn(what + " {task.completed}"), TimeElapsedColumn())
    return Progress(*columns, console=err, transient=True)


@app.command(name="demo")
def demo_(
    *, once: Flag = False, directory: Annotated[Path | None, Parameter(name="--dir")] = None, port: int = 0
) -> int:
    """Play a theft against a running Holdback and a small exchange, and stay up to be tried by hand.

    Examples:
        holdback demo

        holdback demo --once      # end after the story, with status 0 if it went as it must

    Args:
        once: End after the story.
        directory: Keep the databases here instead of in a folder that is removed.
        port: First of the ports to use; free ones if left out.
    """
    return demo.run(once=once, directory=directory, port=port)


@app.command
def serve(*, host: str = "127.0.0.1", port: int = 8400, workers: int = 1, ahead: str = "") -> int:
    """Serve the API, and deliver notices.

    Settings come from the environment (`docs/reference/settings.md`). More than one worker needs PostgreSQL.

    Examples:
        HOLDBACK_STORE=sqlite:holdback.db holdback serve

        HOLDBACK_STORE=postgresql:///holdback holdback serve --host 0.0.0.0 --workers 2

        HOLDBACK_STORE=sqlite:trial.db holdback serve --ahead 73h

    Args:
        host: Address to listen on.
        port: Port to listen on.
        workers: Server processes.
        ahead: Believe that it is so many hours later (`73h`, at most 744), to try what waits. Only with SQLite and on
            this machine; nothing that is allowed then can be paid.
    """
    settings = wiring.settings_from(os.environ)
    ahead_ms = _hours(ahead) * HOUR
    if ahead_ms:
        wiring.must_be_a_trial(settings, host)
        _wrong(
            f"A TRIAL: this server believes that it is {ahead} later, and every wait seems over. Its receipts are of a"
            " time to come, and no signer pays them. Never use it with a store whose accounts are anybody's: until that"
            " time they can only be frozen and protected."
        )
    asyncio.run(_opened(settings))
    return serving.serve(settings, host=host, port=port, workers=workers, ahead_ms=ahead_ms)


def _hours(text: str) -> int:
    """How many hours a trial is ahead. Raises SettingError."""
    if not text:
        return 0
    found = re.fullmatch(r"([1-9][0-9]{0,2})h", text)
    if found is None or int(found[1]) > AHEAD_MOST_H:
        raise wiring.SettingError(f"--ahead: hours, such as 73h, at most {AHEAD_MOST_H}h")
    return int(found[1])


async def _opened(settings: wiring.Settings) -> None:
    """Open all that a server needs and close it again: what is wrong is then one line, not each worker's traceback."""
    async with wiring.running(settings):
        pass


@app.command
def migrate() -> int:
    """Bring the database's schema to this program's version.

    Examples:
        HOLDBACK_STORE=postgresql:///holdback holdback migrate
    """
    version = _with_store(lambda store: store.migrate(), new=True)
    out.print(f"The schema is at version {version}.")
    return 0


@keys.command
def master(*, after: Annotated[str, Parameter(help="The ring so far; the new key is put in front of it.")] = "") -> int:
    """Make a master key and print the ring to set as HOLDBACK_MASTER_KEYS.

    Keep it as you keep the money: whoever has it reads every sealed field, and without it nothing can be read.

    Examples:
        holdback keys master > master.keys

        holdback keys master --after "$(cat master.keys)" > rotated.keys
    """
    used = max((int(one.partition(":")[0]) for one in after.split(",") if one), default=0)
    fresh = MasterKeys.new_setting(used + 1)
    sys.stdout.write(f"{fresh},{after}\n" if after else f"{fresh}\n")
    return 0


@keys.command
def receipt(*, after: Annotated[Path | None, Parameter(help="File of the keys so far.")] = None) -> int:
    """Make a receipt key and print the JSON to set as HOLDBACK_RECEIPT_KEYS. The key before it goes on verifying.

    Examples:
        holdback keys receipt > receipt.json

        holdback keys receipt --after receipt.json > rotated.json
    """
    made = ReceiptKeys.parse(after.read_text()).rotated() if after else ReceiptKeys.generate()
    sys.stdout.write(made.to_json() + "\n")
    return 0


@keys.command
def add(name: str, *, scope: Annotated[list[platform_keys.Scope], Parameter(negative="")]) -> int:
    """Make a platform key and print it once; only its hash is kept. A name that was ever given is refused.

    Scopes: `ask` (put actions, sign people in), `read` (look at accounts), `feed` (give prices: never the asking key),
    `tickets` (open and close them, for which staff may read: the help desk's own key, which no agent can reach).

    Examples:
        holdback keys add backend --scope ask --scope read

        holdback keys add prices --scope feed

        holdback keys add helpdesk --scope tickets

    Args:
        name: What to call it, letters, digits and dashes.
        scope: What it may do.
    """
    try:
        text, row = platform_keys.issued(name, scope, secrets.token_bytes(32), int(time.time() * 1000))
    except ValueError as error:
        _wrong(f"{error}")
        return 2

    async def work(store: Store) -> bool:
        if any(one.id == name for one in await store.keys()):
            return False
        await store.put_key(row)
        return True

    if _with_store(work):
        sys.stdout.write(f"{text}\n")
        return 0
    _wrong(f"there is a platform key {name}; add one of another name, then retire this one")
    return 1


@keys.command
def retire(name: str) -> int:
    """Refuse a platform key from now on.

    Examples:
        holdback keys retire backend

    Args:
        name: What it was called when it was added.
    """

    async def work(store: Store) -> bool:
        found = [one for one in await store.keys() if one.id == name]
        for one in found:
            await store.put_key(one._replace(retired_at=int(time.time() * 1000)))
        return bool(found)

    if _with_store(work):
        out.print(f"{name} is retired; servers notice within seconds.")
        return 0
    _wrong(f"there is no platform key {name}")
    return 1


@keys.command(name="list")
def list_(*, json: Json = False) -> int:
    """Show the platform keys, without their secrets.

    Examples:
        holdback keys list

        holdback keys list --json

    Args:
        json: Print one JSON object.
    """
    rows = _with_store(lambda store: store.keys())
    if json:
        shown = [{"name": one.id, "scopes": one.scopes, "retired": bool(one.retired_at)} for one in rows]
        _print_json({"keys": shown})
        return 0
    table = Table("name", "scopes", "state")
    for one in rows:
        table.add_row(one.id, " ".join(one.scopes), "retired" if one.retired_at else "live")
    out.print(table)
    return 0


@staff.command(name="install")
def install_staff(file: Path, *, after_loss: Flag = False) -> int:
    """Let in the first members of the staff, while there are not two of role `policy`: these then let in others.

    The file is a JSON list:
    `[{"member": "staff-ann", "roles": ["policy"], "name": "Ann Lee", "passkey": "...", "email": "ann@desk.example"}]`.
    Each made the passkey himself: it is public, as `account.import` takes it. Members sign in when it is 72 h old.
    Run again after a failure, it goes on with those who are missing. Roles: support, reviewer, legal, investigator,
    treasurer, policy, auditor.

    Examples:
        holdback staff install first.json

        holdback staff install first.json --after-loss

    Args:
        file: The members.
        after_loss: Go on although members have left: too few of role `policy` are there to let in anybody.
    """
    try:
        found = first_members.newcomers(file.read_bytes())
        made = _with_service(lambda service: first_members.install(service, found, after_loss=after_loss))
    except (first_members.NotInstalled, BadRequest) as error:
        _wrong(f"{error}")
        return 2
    out.print(f"{len(made)} installed: {', '.join(made) or 'all were there'}.", highlight=False)
    return 0


@staff.command(name="list")
def list_staff(*, json: Json = False) -> int:
    """Show who belongs to the staff, who waits for a second person, and who left.

    Examples:
        holdback staff list

        holdback staff list --json

    Args:
        json: Print one JSON object.
    """
    heads = _with_service(lambda service: roster(service.store, service.tools.snapshots))
    rows = [(head.account, *_standing(head)) for head in heads]
    if json:
        _print_json({"staff": [{"member": name, "roles": roles, "state": state} for name, roles, state in rows]})
        return 0
    table = Table("member", "roles", "state")
    for name, roles, state in rows:
        table.add_row(name, " ".join(roles), state)
    out.print(table)
    return 0


def _standing(head: Head) -> tuple[list[str], str]:
    """A member's roles, and how he stands in one word."""
    member = head.member or Member()
    state = "left" if member.retired_at else "frozen" if head.frozen_at else "live" if member.roles else "proposed"
    return [role.value for role in member.roles], state


@app.command
def play(*files: Path, policy: str = "default", json: Json = False) -> int:
    """Play stories of attacks and honest journeys against the real core, with a fake clock.

    Ends with 0 when every story meets what it expects, 1 when one misses, 2 for a file that cannot be used.

    Examples:
        holdback play playbooks/*.toml

        holdback play playbooks/stolen-cookie.toml --policy my-policy.toml --json

    Args:
        files: The stories.
        policy: Name of a packaged policy, or a TOML file.
        json: Print one JSON object.
    """
    if not files:
        _wrong("name the stories to play, such as playbooks/*.toml")
        return 2
    try:
        results = play_stories(files, wiring.load_policy(policy))
    except (PlaybookError, PolicyError) as error:
        _wrong(f"{error}")
        return 2
    if json:
        sys.stdout.write(report.to_json(results) + "\n")
    else:
        out.print(report.render(results))
    return report.exit_code(results)


@app.command
def explain(account: str, *, after: int = 0, limit: int = 200, json: Json = False) -> int:
    """Tell an account's history in sentences: what was asked, what was answered and why, what followed.

    Examples:
        holdback explain alice

        holdback explain alice --after 120 --json

    Args:
        account: The customer.
        after: Start behind this entry.
        limit: The most entries to show.
        json: Print one JSON object.
    """
    lines = _with_service(lambda service: timeline.lines(service, account, after, limit))
    if lines is None:
        _wrong("the circuit breaker never tripped" if account == BREAKER else f"there is no account {account}")
        return 1
    if json:
        _print_json({"account": account, "entries": lines})
    else:
        out.print(timeline.render(lines))
    return 0


@app.command
def verify(*accounts: str, receipts: Path | None = None, json: Json = False) -> int:
    """Check that chains, MACs and states hold together: fold every log again and compare.

    Examples:
        holdback verify

        holdback verify alice --receipts signer-receipts.txt   # a tail deleted with its state shows only so

    Args:
        accounts: The customers; all of them if none is named.
        receipts: Receipts the signer kept, one a line; each names a head its account must have had.
        json: Print one JSON object.
    """

    async def work(service: Service) -> tuple[int, list[audit.Fault]]:
        known = _heads(service, receipts)
        count, faults = 0, list[audit.Fault]()
        with _progress("accounts checked:") as progress:
            task = progress.add_task("", total=None)
            async for account in _chosen(service.store, accounts):
                faults += await audit.check(service.store, service.tools.snapshots, account, known.get(account))
                count += 1
                progress.advance(task)
        missing = [audit.Fault(account, 0, "receipts name it, the store does not") for account in known]
        stored = {account async for account in _chosen(service.store, ())} if known else set()
        return count, faults + [one for one in missing if one.account not in stored]

    count, faults = _with_service(work)
    if json:
        _print_json({"accounts": count, "faults": [one._asdict() for one in faults]})
    else:
        for one in faults[:FAULTS_SHOWN]:
            _wrong(f"{one.account} entry {one.seq}: {one.why}")
        out.print(f"{count} accounts checked, {len(faults)} faults.")
    return 1 if faults else 0


def _heads(service: Service, receipts: Path | None) -> dict[str, dict[int, bytes]]:
    """The chain heads that receipts name, by account and entry."""
    known: dict[str, dict[int, bytes]] = {}
    for line in receipts.read_text().splitlines() if receipts else []:
        try:
            one = service.tools.receipts.read(line.strip())
        except ReceiptForged:
            err.print("[yellow]a line is no receipt of this Holdback; left out[/]")
            continue
        known.setdefault(one.id.partition("/")[0], {})[one.seq] = one.head
    return known


async def _chosen(store: Store, accounts: tuple[str, ...]) -> AsyncIterator[str]:
    if accounts:
        for account in accounts:
            yield account
        return
    async for account in audit.accounts(store):
        yield account


@policy.command
def check(file: str, *, json: Json = False) -> int:
    """Say whether a policy can be obeyed, and what it loosens or tightens beside the default one.

    Examples:
        holdback policy check my-policy.toml

        holdback policy check my-policy.toml --json

    Args:
        file: A TOML file, or the name of a packaged policy.
        json: Print one JSON object.
    """
    try:
        theirs, ours = wiring.load_policy(file), wiring.load_policy("default")
    except PolicyError as error:
        _wrong(f"{error}")
        return 2
    differences = theirs.differences(ours)
    if json:
        shown = [one._asdict() for one in differences]
        _print_json({"policy": theirs.name, "digest": theirs.digest.hex(), "differences": shown})
        return 0
    table = Table("key", "default", theirs.name, "which is", title=f"{theirs.name} {theirs.digest.hex()}")
    styles = {"looser": "red", "tighter": "green"}
    for one in differences:
        style = styles.get(one.way, "yellow")
        table.add_row(one.key, str(one.before), str(one.after), f"[{style}]{one.way}[/]")
    out.print(table if differences else f"{theirs.name} is the default policy, number for number.")
    return 0


@app.command(name="bench")
def bench_(
    name: str = "decide",
    *,
    store: str = "sqlite",
    quick: Flag = False,
    rba: Path | None = None,
    json: Json = False,
) -> int:
    """Measure, and print a ratio to something known that was measured in the same run.

    Examples:
        holdback bench decide --store postgres

        holdback bench decide --store sqlite --quick --json

        holdback bench book --store postgres --json

        holdback bench risk --quick

        holdback bench risk --rba rba-dataset.csv --json

        holdback bench staff --quick --json

        holdback bench face --quick --json

        holdback bench trades --quick

        holdback bench pages --store postgres --json

    Args:
        name: `book` (what finding a look-alike among 2,000 entries costs), `decide` (decisions a second), `face` (what
            the face check accepts of which attack, and what it costs; fetches portraits once), `pages` (how long pages
            over lists of 10,000 take, and how big they are), `risk` (what the score of sign-ins finds, and whom it
            bothers), `signin` (what password sign-ins do to decisions), `staff` (after how many look-ups moles are
            reported, and how often honest staff) or `trades` (what a thief trades away, and how often honest traders
            are told or refused; writes `bench-trades.json` and `bench-trades.svg`).
        store: `sqlite` or `postgres` (a throw-away cluster of its own).
        quick: Fewer accounts and shorter runs.
        rba: The public data set of Wiefling et al. (2022) as CSV, in place of made-up sign-ins; for `risk`.
        json: Print one JSON object.
    """
    return bench.run(name, store=store, quick=quick, json=json, rba=rba)


@app.command(name="trace-leak")
def trace_leak(
    file: Path,
    *,
    exports: Path | None = None,
    column: Annotated[list[str] | None, Parameter(negative="")] = None,
    policy: str = "default",
    json: Json = False,
) -> int:
    """Say whose copy of an export a leaked list is, or that it is nobody's.

    Rows may be missing, mixed and in any order, and columns missing. Whoever is named is told with a bound on how often
    anybody innocent would be. Ends with 0 if somebody is named, 1 if nobody is, 2 for a file that cannot be used. Needs
    HOLDBACK_MASTER_KEYS.

    Without `--exports` it is a copy of the desk (`GET /v1/desk`), of which each of the staff has his own, and needs the
    store. Of lists that were made elsewhere with `holdback.marking` the export records are a JSON list:
    `[{"reader": "ann", "key": 1, "row_id": "account", "columns": {"seen_at": {"type": "millisecond"}}}]`.
    `key` is the id of the master key. Kinds of columns are `millisecond`, `trailing`, `fraction` (with `places`) and
    `label` (with `spellings`, pairs of words).

    Examples:
        holdback trace-leak paste.csv

        holdback trace-leak paste.csv --exports exports.json

        holdback trace-leak paste.jsonl --exports exports.json --column seen_at=zuletzt --json

    Args:
        file: The list: CSV with a line of names, or one JSON object a line.
        exports: The export records; none for the desk.
        column: A column that the list calls otherwise, as `exported=leaked`; may be given again.
        policy: Name of a packaged policy, or a TOML file, that says how rarely anybody innocent may be named.
        json: Print one JSON object.
    """
    try:
        keys = MasterKeys.parse(os.environ.get("HOLDBACK_MASTER_KEYS", "")).mark_keys()
    except ValueError as error:
        err.print(f"[red]HOLDBACK_MASTER_KEYS: {error}[/]", highlight=False)
        return 2
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeElapsedColumn())
    try:
        renamed = leaks.renamed(column or ())
        ppm = wiring.load_policy(policy).staff.false_accusations_ppm
        records = leaks.exports_of(exports) if exports is not None else _with_service(_desks)
        tracing = marking.Trace(records, keys, ppm / 1_000_000)
        with Progress(*columns, console=err, transient=True) as progress:
            task = progress.add_task("read:", total=file.stat().st_size)
            for row in leaks.rows(file, renamed, lambda read: progress.update(task, completed=read)):
                tracing.add(row)
        found = tracing.result()
    except leaks.BadLeak as error:
        err.print(f"[red]{error}[/]", markup=True, highlight=False)
        return 2
    except marking.KeyMissing as error:
        err.print(f"[red]{exports or file}: {error}[/]", highlight=False)
        return 2
    if json:
        _print_json(found.told())
    else:
        out.print(found.sentence(), highlight=False)
    return 0 if found.named else 1


async def _desks(service: Service) -> list[marking.Export]:
    """A record for each copy of the desk that anybody of the staff may ever have had."""
    members = [head.account for head in await roster(service.store, service.tools.snapshots)]
    return [desk.export_of(member, key) for member in members for key in service.tools.masters.mark_keys()]


@api_keys.command(name="revoke-leaked")
def revoke_leaked(file: Path, *, json: Json = False) -> int:
    """Revoke the customers' API keys on a list, and tell their owners.

    A line is a customer and a key (`alice:k12`); blank lines and those that begin with `#` are passed over. Nothing is
    revoked if a line cannot be read. May be run again: what is gone already counts as unknown.

    Examples:
        holdback api-keys revoke-leaked paste.txt

        holdback api-keys revoke-leaked paste.txt --json

    Args:
        file: The list.
        json: Print one JSON object.
    """
    try:
        with file.open(encoding="utf-8") as lines:
            named = leaked_keys.keys_of(lines)
    except (OSError, UnicodeDecodeError, leaked_keys.BadList) as error:
        _wrong(f"{file}: {error}")
        return 2
    with _progress("keys looked at:") as progress:
        task = progress.add_task("", total=len(named))
        found = _with_service(
            lambda service: leaked_keys.revoke(service, named, lambda done: progress.update(task, completed=done))
        )
    if json:
        _print_json(found._asdict())
    else:
        out.print(f"{found.revoked} revoked, {found.unknown} unknown.", highlight=False)
    if found.failed:
        _wrong(f"altered in the store, so nothing was revoked: {', '.join(found.failed)}; see `holdback verify`")
    return 1 if found.failed else 0


@app.command(name="backup")
def backup_(file: Path) -> int:
    """Write a consistent copy of the store to a file, while it is in use.

    Personal fields in it stay sealed, but it holds the customers' wrapped keys: keep it as safe as the store itself.
    A file that is there is never replaced.

    Examples:
        holdback backup /safe/holdback-$(date +%F).hb

    Args:
        file: The back-up to make; only its owner may read it.
    """

    async def work(store: Store) -> int:
        with _progress("records written:") as progress, _private(part) as target:
            task = progress.add_task("", total=None)
            count = await backup.save(store, target, lambda done: progress.update(task, completed=done))
            target.flush()
            os.fsync(target.fileno())
            return count

    part = file.with_name(file.name + ".part")
    for one in (file, part):
        if one.exists():
            _wrong(f"{one} is there already; name another file, or remove it")
            return 2
    count = _with_store(work)
    part.rename(file)
    out.print(f"{count} records written to {file}.", soft_wrap=True)
    return 0


def _private(path: Path) -> BinaryIO:
    """A new file that only its owner may read."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


@app.command
def restore(file: Path) -> int:
    """Fill an empty store from a back-up. Exits stay held until `holdback reconcile`.

    Examples:
        HOLDBACK_STORE=sqlite:restored.db holdback restore /safe/holdback-2026-01-01.hb

    Args:
        file: The back-up.
    """

    async def work(store: Store) -> int:
        with _progress("records read:") as progress, file.open("rb") as source:
            await wiring.make_room(wiring.settings_from(os.environ), store)
            task = progress.add_task("", total=None)
            return await backup.restore(store, source, lambda done: progress.update(task, completed=done))

    try:
        count = _with_store(work, new=True)
    except (backup.NotABackup, ValueError) as error:
        _wrong(f"{error}")
        return 2
    out.print(f"{count} records restored. Every exit is held until `holdback reconcile --receipts FILE`.")
    return 0


@app.command
def reconcile(*, receipts: Path, release: Flag = False, json: Json = False) -> int:
    """Show a restored store the receipts its signer honoured; what it forgot draws on the budget again.

    Examples:
        holdback reconcile --receipts signer-receipts.txt

        holdback reconcile --receipts signer-receipts.txt --release   # and let exits go again

    Args:
        receipts: Receipts the signer kept, one a line.
        release: Let exits go again afterwards; refused while a receipt names an account the store does not know.
        json: Print one JSON object.
    """
    shown = receipts.read_text().splitlines()

    async def work(service: Service) -> backup.Reconciled:
        outcome = await backup.reconcile(service, shown)
        if release and not outcome.unknown_accounts:
            await service.store.set_reconciling(False)
        return outcome

    outcome = _with_service(work)
    released = release and not outcome.unknown_accounts
    if json:
        _print_json(outcome._asdict() | {"released": released})
    else:
        out.print(
            f"{outcome.known} receipts known, {outcome.forgotten} forgotten and counted again, "
            f"{outcome.unknown_accounts} of unknown accounts, {outcome.forged} not ours. "
            f"Exits are {'let go again' if released else 'still held'}."
        )
    return 0 if not release or released else 1


@letters.command(name="list")
def letters_list(*, limit: int = 100, json: Json = False) -> int:
    """Show the newest notices that were given up.

    Examples:
        holdback dead-letters list

        holdback dead-letters list --limit 1000 --json

    Args:
        limit: The most to show.
        json: Print one JSON object.
    """
    rows = _with_store(lambda store: store.dead_letters(limit))
    if json:
        _print_json({"dead_letters": [one._asdict() for one in rows]})
        return 0
    table = Table("id", "tries", "last error")
    for one in rows:
        table.add_row(one.id, str(one.tries), one.error)
    out.print(table if rows else "No dead letters.")
    return 0


@letters.command
def revive(id: str) -> int:  # noqa: A002 - the letter's own name
    """Try to deliver a dead letter again.

    Examples:
        holdback dead-letters revive alice/12-0/c1-1

    Args:
        id: As `holdback dead-letters list` shows it.
    """
    if _with_store(lambda store: store.revive(id)):
        out.print("It is due again.")
        return 0
    _wrong(f"there is no dead letter {id}")
    return 1


@hooks.command(name="list")
def hooks_list(*, limit: int = 100, json: Json = False) -> int:
    """Show the newest messages to the platform that were given up.

    Examples:
        holdback webhooks list

    Args:
        limit: The most to show.
        json: Print one JSON object.
    """
    rows = _with_store(lambda store: store.dead_webhooks(limit))
    if json:
        _print_json({"dead_webhooks": [one._asdict() for one in rows]})
        return 0
    table = Table("id", "kind", "tries", "last error")
    for one in rows:
        table.add_row(one.id, one.kind, str(one.tries), one.error)
    out.print(table if rows else "No dead webhooks.")
    return 0


@hooks.command(name="revive")
def revive_hook(id: str) -> int:  # noqa: A002 - the message's own name
    """Try to post a dead message again.

    Examples:
        holdback webhooks revive alice/12/9f3ac0d1-0

    Args:
        id: As `holdback webhooks list` shows it.
    """
    if _with_store(lambda store: store.revive_webhook(id)):
        out.print("It is due again.")
        return 0
    _wrong(f"there is no dead webhook {id}")
    return 1


@hooks.command(name="test")
def try_hook() -> int:
    """Post a message of kind `webhook.test` to the endpoint of the settings, once, and say what it answered.

    Examples:
        holdback webhooks test
    """
    settings = wiring.settings_from(os.environ)

    async def work() -> str:
        hook = wiring.hook(settings)
        if hook is None:
            return "HOLDBACK_HOLD_WEBHOOK_URL is not set"
        try:
            await post_test(hook, f"test/{secrets.token_hex(8)}", time.time_ns() // 1_000_000)
        except (ChannelUnavailable, ChannelRefused) as error:
            return str(error)
        finally:
            await hook.close()
        return ""

    fault = asyncio.run(work())
    if fault:
        _wrong(fault)
        return 1
    out.print("The endpoint accepted it.")
    return 0


@desks.command(name="rebuild")
def rebuild_desk() -> int:
    """Make the queues of what waits for people anew, while the server goes on.

    They are a copy of what the accounts' own rows say. It is needed after a restore, and after a program of before
    there was a desk wrote to the store.

    Examples:
        holdback desk rebuild
    """
    found = _with_service(lambda service: Desk(service).rebuild())
    out.print(f"{found} things wait.", highlight=False)
    return 0


@passwords.command(name="import")
def import_(file: Path, *, output: Path, plain: Flag = False) -> int:
    """Make the file that HOLDBACK_BREACHED_PASSWORDS names of a published list, whole or not at all.

    A list is of SHA-1 lines (`HASH:COUNT`, as Have I Been Pwned publishes them) in the order of the hashes, or
    `--plain` passwords in UTF-8, one a line, in any order, at most 20 million of them.

    Examples:
        holdback passwords import pwned-passwords-sha1-ordered-by-hash.txt --output /etc/holdback/breached.hb

        holdback passwords import our-leak.txt --plain --output /etc/holdback/breached.hb

    Args:
        file: The list.
        output: The file to make, or to replace once the new one is whole.
        plain: The list is of passwords themselves.
    """
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeElapsedColumn())
    try:
        with Progress(*columns, console=err, transient=True) as progress:
            task = progress.add_task("read:", total=file.stat().st_size)
            made = compile_list(
                file, output, plain=plain, report=lambda done: progress.update(task, completed=done.read)
            )
    except BadList as error:
        _wrong(f"{file}: {error}")
        return 2
    out.print(f"{made} passwords in {output}. Servers use it when they are started again.")
    return 0


@passwords.command(name="check")
def check_password(*, breached: Path | None = None, policy: str = "default") -> int:
    """Say whether a password could be chosen here, as an owner with another authenticator would be told.

    It is read from the terminal without being shown, or as a line of standard input; it is never an argument.

    Examples:
        holdback passwords check

        holdback passwords check --breached /etc/holdback/breached.hb

    Args:
        breached: The file to look into; that of HOLDBACK_BREACHED_PASSWORDS if left out.
        policy: Name of a packaged policy, or a TOML file.
    """
    rules = wiring.load_policy(policy).passwords
    try:
        known = Breached(breached) if breached else wiring.breached(wiring.settings_from(os.environ))
    except BadList as error:
        _wrong(f"{breached}: {error}")
        return 2
    given = getpass.getpass() if sys.stdin.isatty() else sys.stdin.readline().rstrip("\r\n")
    verifier = Passwords(threads=1, breached=known)
    numbers = {"characters_min": rules.characters_min, "strength_min": rules.strength_min}
    try:
        asyncio.run(verifier.judge(given, about=(), **numbers))
    except ValueError as error:
        out.print(str(error), highlight=False)
        return 1
    out.print(f"It could be chosen: it is {'in neither list' if known else 'not in the built-in list'}.")
    return 0


@listing.command(name="import")
def import_list(file: Path, *, name: str, version: str, json: Json = False) -> int:
    """Take a list in, in place of the one of the same name. Exits ask for it from the next moment on.

    The file is a table (CSV) whose first line names its columns: `address` and, if there is one, `network`. What is
    written as no network of the policy writes addresses is left out, and its lines are named. Until the new list is
    whole the old one counts, and after an error, too.

    Examples:
        holdback lists import sdn-addresses.csv --name ofac --version 2026-11-20

        holdback lists import blocked.csv --name own --version 14 --json

    Args:
        file: The list.
        name: What the policy and the log call it, such as `ofac`.
        version: Which of its versions this is, in your own words.
        json: Print one JSON object.
    """
    size = file.stat().st_size

    async def work(service: Service) -> lists.Imported:
        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeElapsedColumn())
        with Progress(*columns, console=err, transient=True) as progress:
            task = progress.add_task("read:", total=size)
            lines = leaks.numbered(file, lambda read: progress.update(task, completed=read))
            return await lists.Importing(service.store, service.tools).take(name, version, lines)

    try:
        taken = _with_service(work)
    except (lists.BadTable, leaks.BadLeak) as error:
        _wrong(f"{file}: {error}")
        return 2
    if json:
        shown = {"name": name, "version": version, "entries": taken.row.entries}
        _print_json(shown | {"left_out": taken.left_out, "left_out_lines": taken.lines})
        return 0
    out.print(f"{name}, version {version}: {taken.row.entries} addresses, {taken.left_out} left out.", highlight=False)
    if taken.lines:
        which = ", ".join(str(one) for one in taken.lines[:LINES_SHOWN])
        more = " and more" if taken.left_out > LINES_SHOWN else ""
        out.print(f"No listed network writes addresses as line {which}{more} does.", highlight=False, soft_wrap=True)
    return 0


@listing.command(name="show")
def show_lists(*, json: Json = False) -> int:
    """Show every list, its version and age, and whether the policy is content with it.

    Ends with 1 if a list that the policy requires is missing, too old, or hashed under a key that is gone.

    Examples:
        holdback lists show

        holdback lists show --json

    Args:
        json: Print one JSON object.
    """

    async def work(service: Service) -> list[lists.Standing]:
        return await lists.standing(service.store, service.tools)

    found = _with_service(work)
    if json:
        _print_json({"lists": [one._asdict() for one in found]})
    else:
        table = Table("list", "version", "imported", "addresses", "required", "")
        for one in found:
            imported = instant_text(one.at) if one.at else ""
            required = "yes" if one.required else ""
            table.add_row(one.name, one.version, imported, str(one.entries), required, one.fault)
        out.print(table if found else "There is no list, and the policy requires none.")
    return 1 if any(one.fault and one.required for one in found) else 0


def _with_examples(commands: App) -> None:
    """Show the examples of each docstring under its help, as they stand; what reads the docstrings leaves them out."""
    for name in commands:
        command = commands[name]
        if name.startswith("-"):
            continue
        _, _, rest = (inspect.getdoc(command.default_command) or "").partition("\nExamples:\n")
        lines = [line.strip() for line in rest.partition("\nArgs:\n")[0].splitlines() if line.strip()]
        if command.default_command is None:
            _with_examples(command)
        else:
            command.help_epilogue = "\n".join(["Examples:", "", "```", *lines, "```"])


_with_examples(app)


def _line(error: Exception) -> str:
    """What is wrong, and with what."""
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    if isinstance(error, StoreUnavailable | NewerDatabase):
        return f"the store that HOLDBACK_STORE names: {error}"
    return str(error)


def main() -> None:
    """Run the command line; errors an operator can mend are one line, not a traceback."""
    try:
        status = app(sys.argv[1:], result_action="return_value")
    except (wiring.SettingError, PolicyError, StoreUnavailable, NewerDatabase, OSError) as error:
        _wrong(f"holdback: {_line(error)}")
        sys.exit(2)
    sys.exit(status if isinstance(status, int) else 0)
