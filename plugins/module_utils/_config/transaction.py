# GNU General Public License v3.0+ (see LICENSE)
"""From the wanted set to the committed one, or back to what was there.

The order is: undo what an interrupted run left, create users, compare, stage, let the daemons judge the staged set, write the
journal, swap, let the units take it, prove that they are well, keep a generation, forget the journal. Until the journal is
written nothing that is live has changed; from then on until it is forgotten, every failure takes its steps back, and if the
process itself is killed the next run does.
"""

from __future__ import annotations

import glob
import grp
import os
import pwd
import signal
import subprocess
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from . import files, validation
from .files import CannotExchange, Label
from .staging import Staging, swap
from .store import Store
from .units import Operation, systemctl
from .wanted import (
    Change,
    Entry,
    Ids,
    Live,
    Refused,
    Request,
    blame,
    difference,
    fingerprint,
    missing_parents,
    needs_daemon_reload,
)

LOCK_SECONDS = 60
SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


@dataclass
class Outcome:
    """What a transaction did, or in check mode would do."""

    changed: list[str] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    hidden: set[str] = field(default_factory=set)
    recovered: bool = False
    validated: str = ""
    generation: int | None = None


def number_of(lookup: Any, attribute: str) -> Any:
    """A function from a name to its number, or ``None``; a name of digits is a number itself."""
    known: dict[str, int | None] = {}

    def find(name: str) -> int | None:
        if name not in known:
            try:
                known[name] = getattr(lookup(name), attribute)
            except KeyError:
                known[name] = int(name) if name.isdigit() else None
        return known[name]

    return find


def system_ids() -> Ids:
    return Ids(number_of(pwd.getpwnam, "pw_uid"), number_of(grp.getgrnam, "gr_gid"))


def sysusers_lines(users: Iterable[Mapping[str, Any]]) -> dict[str, list[str]]:
    """What ``systemd-sysusers`` has to be told, by the name of each user that is missing or lacks a group."""
    found: dict[str, list[str]] = {}
    for user in users:
        name = user["name"]
        lines = []
        try:
            pwd.getpwnam(name)
        except KeyError:
            comment = (user.get("comment") or "").replace('"', "'")
            lines.append(f'u {name} - "{comment}" {user.get("home") or "/"} /usr/sbin/nologin')
        for group in user.get("groups") or []:
            try:
                is_member = name in grp.getgrnam(group).gr_mem
            except KeyError:
                is_member = False
            if not is_member:
                lines.append(f"m {name} {group}")
        if lines:
            found[name] = lines
    return found


def create_users(lines: Mapping[str, Sequence[str]]) -> None:
    text = "\n".join(line for some in lines.values() for line in some) + "\n"
    done = subprocess.run(["systemd-sysusers", "-"], input=text, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Refused(f"users: systemd-sysusers refused {', '.join(lines)}: {done.stderr.strip()}")


def stale(owned: Iterable[str], wanted: Iterable[Entry]) -> list[Entry]:
    """Files and links that fit an owned pattern and that nobody wants any more."""
    kept = {entry.path for entry in wanted}
    found = {path for pattern in owned for path in glob.glob(pattern) if os.path.islink(path) or os.path.isfile(path)}
    folders: dict[str, str] = {}

    def place(path: str) -> str:
        folder, name = os.path.split(path)
        if folder not in folders:
            folders[folder] = os.path.realpath(folder)
        return os.path.join(folders[folder], name)

    places = {place(path) for path in kept} if found - kept else set()
    return [Entry(path, "absent") for path in sorted(found - kept) if place(path) not in places]


def why(error: OSError) -> str:
    """What the system refused, and where."""
    return f"{error.filename or 'the host'}: {error.strerror}"


class Transaction:
    """One run over one request; see the module's text for the order of things."""

    def __init__(self, request: Request, store: Store, label: Label, check_mode: bool) -> None:
        self.request = request
        self.store = store
        self.label = label
        self.check_mode = check_mode
        self.ids = system_ids()
        self.outcome = Outcome()
        self.forced: dict[str, str] = {}
        self.daemon_reload = False
        self.missing_users: dict[str, list[str]] = {}
        self.entries: list[Entry] = []
        self.swapping = False

    def run(self) -> Outcome:
        if self.check_mode and not os.path.isdir(self.store.path):
            with tempfile.TemporaryDirectory(prefix="lemp-config-") as scratch:
                self.store = Store(self.request.name, scratch)
                self._run()
        else:
            self._run()
        return self.outcome

    def _run(self) -> None:
        with self.store.locked(LOCK_SECONDS):
            self._recover()
            self._create_users()
            self._compare()
            self._apply()

    def _refuse(self, sentence: str, **details: Any) -> Refused:
        return Refused(f"{self.request.name}: {sentence}", **details)

    # What is there, what is missing

    def _recover(self) -> None:
        self.outcome.recovered = self.store.read_journal() is not None
        if self.outcome.recovered and not self.check_mode:
            try:
                self.store.undo()
            except OSError as error:
                raise self._refuse(
                    f"an interrupted change could be undone in part only, because"
                    f" {why(error)}; what it staged is in {self.store.transaction}."
                ) from error
        if not self.outcome.recovered:
            self.store.clean()
        owed = self.store.read_owed()
        self.forced = {
            name: "restart" if action in ("restart", "start") else "reload" for name, action in owed["units"].items()
        }
        self.daemon_reload = owed["daemon_reload"]
        if self.outcome.recovered or self.forced or self.daemon_reload:
            self.outcome.changed.append(f"transaction:{self.request.name}")
        self.outcome.changed.extend(owed["items"])

    def _create_users(self) -> None:
        self.missing_users = sysusers_lines(self.request.users)
        items = [f"user:{name}" for name in self.missing_users]
        self.outcome.changed.extend(item for item in items if item not in self.outcome.changed)
        if self.missing_users and not self.check_mode:
            # Users are not undone, so that a daemon that has to know them is told by a later run if this one is refused.
            self.store.owe({}, False, items)
            create_users(self.missing_users)
            self.ids = system_ids()

    def _compare(self) -> None:
        self.entries = [*self.request.entries, *stale(self.request.owned, self.request.entries)]
        paths = [entry.path for entry in self.entries]
        twice = sorted({path for path in paths if paths.count(path) > 1}) if len(set(paths)) != len(paths) else []
        if twice:
            raise self._refuse(f"{', '.join(twice)} is asked for more than once; merge the entries.")
        self._refuse_foreign_links()
        for entry in self.entries:
            self._require_owner(entry)
        changes = [change for change in (difference(entry, files.live(entry), self.ids) for entry in self.entries) if change]
        parents = missing_parents(changes, [entry.path for entry in self.entries if entry.kind == "directory"], os.path.isdir)
        changes = [Change(parent, Live("absent"), "make") for parent in parents] + changes
        self.outcome.changes = changes
        self.outcome.changed.extend(change.path for change in changes)
        if any(change.what == "remove" for change in changes):
            known = {entry.path: entry.sensitive for entry in self.store.latest()}
            self.outcome.hidden = {
                change.path
                for change in changes
                # Of a file that nobody knows any more, who may read it tells whether its content may be shown.
                if change.what == "remove" and known.get(change.path, not change.live.mode & 0o004)
            }

    def _refuse_foreign_links(self) -> None:
        folders = {entry.path if entry.kind == "directory" else os.path.dirname(entry.path) for entry in self.entries}
        for link in sorted({files.foreign_link(folder) for folder in folders} - {""}):
            raise self._refuse(
                f"{link} is a symbolic link that belongs to a user other than root, who could lead this change anywhere;"
                " replace it by a directory."
            )

    def _require_owner(self, entry: Entry) -> None:
        if entry.kind not in ("file", "directory") or None not in self.ids.of(entry):
            return
        if self.check_mode:
            return
        raise self._refuse(f"{entry.path} is to belong to {entry.owner}:{entry.group}, who does not exist on this host.")

    # Stage, validate, swap

    def _apply(self) -> None:
        operation = None
        if not self.outcome.changes and not self.outcome.changed:
            operation = self._operation()
            if not operation.changes():
                self._prove(operation)
                return
        if self.check_mode:
            self._judge_in_check_mode()
            self.outcome.changed.extend(f"unit:{name}" for name in self._operation().changes())
            return
        without_exchange: set[str] = set()
        while True:
            try:
                self._attempt(without_exchange)
                return
            except CannotExchange as error:
                without_exchange.add(str(error))

    def _operation(self) -> Operation:
        return Operation(self.request.units, self.outcome.changed, self.forced, self.request.timeout)

    def _prove(self, operation: Operation) -> None:
        """Nothing changed: that the units are well is proven all the same."""
        if self.check_mode:
            return
        wrong = operation.run()
        if wrong:
            raise self._refuse(f"nothing was to be changed, but {wrong}.")

    def _judge_in_check_mode(self) -> None:
        if not self.outcome.changes or not self.request.validators or any(None in self.ids.of(e) for e in self.entries):
            return
        if self.outcome.recovered:
            # What is staged is what an interrupted run left, which only a real run undoes.
            self.outcome.validated = "skipped"
            return
        staging = Staging(self.request, self.outcome.changes, self.store, self.label, self.ids, set())
        try:
            self._stage(staging)
            if self.missing_users or staging.directories():
                self.outcome.validated = "skipped"
            else:
                self._validate(staging)
        finally:
            self.store.clean()

    def _stage(self, staging: Staging) -> None:
        self.store.begin()
        try:
            staging.fill()
        except OSError as error:
            self.store.clean()
            raise self._refuse(f"nothing was changed, because {why(error)}.") from error
        except BaseException:
            self.store.clean()
            raise

    def _validate(self, staging: Staging) -> None:
        """Let the daemons judge the staged set; where that cannot be, they judge the live one later."""
        if not self.outcome.changes or not self.request.validators:
            return
        try:
            said = validation.complaint(self.request.validators, staging.overlays())
        except validation.NoNamespace:
            self.outcome.validated = "skipped" if self.check_mode else "in place"
            return
        self.outcome.validated = "staged"
        if said:
            raise self._blamed(said, "the new configuration was refused and nothing was changed")

    def _blamed(self, said: str, what: str) -> Refused:
        sentence, suspects = blame(said, self.entries, self.outcome.changed)
        return self._refuse(f"{what}: {said.rstrip('.')}. {sentence}".strip(), refused=suspects)

    def _attempt(self, without_exchange: set[str]) -> None:
        staging = Staging(self.request, self.outcome.changes, self.store, self.label, self.ids, without_exchange)
        self._stage(staging)
        steps = staging.steps()
        directories = staging.directories()
        try:
            # Daemons look into directories when they judge, and an empty one changes nothing for anybody.
            swap(directories)
            self._validate(staging)
        except BaseException:
            for step in reversed(directories):
                files.undo(step)
            self.store.clean()
            raise
        before = self._snapshot()
        after = self._written()
        self.daemon_reload = self.daemon_reload or needs_daemon_reload(self.outcome.changed)
        earlier = self._operation()
        planned = earlier.planned()
        operation = None
        handlers = {number: signal.signal(number, _interrupted) for number in SIGNALS}
        try:
            self.store.write_journal(steps, planned, self.daemon_reload)
            self.swapping = True
            swap(steps)
            self.store.sync(steps)
            if self.outcome.validated == "in place":
                said = validation.complaint(self.request.validators, None)
                if said:
                    raise self._blamed(said, "the new configuration was refused and put back")
            if self.daemon_reload:
                operation = earlier
                earlier.pause()
                systemctl("daemon-reload")
                operation = self._operation()
                operation.resume(earlier)
            else:
                operation = self._operation()
            self.outcome.changed.extend(f"unit:{name}" for name in operation.changes())
            wrong = operation.run()
            if wrong:
                raise self._blamed(
                    wrong, "the new configuration was put back" if self.outcome.changes else "nothing was changed"
                )
            self._commit(before, after)
        except BaseException as error:
            self._put_back(operation, error)
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)

    def _put_back(self, operation: Operation | None, error: BaseException) -> None:
        """Undo everything, and raise what went wrong with what became of it."""
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        if self.store.read_journal() is None:
            if isinstance(error, OSError) and not self.swapping:
                self.store.clean()
                raise self._refuse(f"nothing was changed, because {why(error)}.") from error
            raise error
        details = error.details if isinstance(error, Refused) else {}
        try:
            self.store.undo()
        except OSError as undoing:
            raise Refused(
                f"{error} It was put back in part only, because {why(undoing)}; mend that and run again.",
                **details,
            ) from error
        if isinstance(error, CannotExchange):
            raise error
        if self.daemon_reload:
            systemctl("daemon-reload")
        still_wrong = operation.undo() if operation else ""
        if not still_wrong:
            self.store.settle()
        reason = str(error)
        if isinstance(error, OSError):
            reason = f"{self.request.name}: the new configuration was put back: {error.filename or ''} {error.strerror}."
        if still_wrong:
            raise Refused(f"{reason} With the old configuration: {still_wrong}.", **details) from error
        if operation and any(operation.before[name].is_active for name in operation.taken):
            reason += " Everything runs with the old configuration again."
        raise Refused(reason, **details) from error

    # Generations

    def _snapshot(self) -> list[Entry]:
        """What is on the disk now of all paths that this or the last generation knows."""
        known = {entry.path: entry for entry in (*self.store.latest(), *self.entries)}
        found = []
        for path, entry in sorted(known.items()):
            if entry.kind == "directory":
                found.append(entry)
                continue
            there = files.live(replace(entry, kind="file" if entry.kind == "absent" else entry.kind))
            if there.kind not in ("file", "link"):
                found.append(Entry(path, "absent"))
                continue
            found.append(
                replace(
                    entry,
                    kind=there.kind,
                    content=entry.content if entry.keep else there.content,
                    target=there.target,
                    mode=there.mode if there.kind == "file" else entry.mode,
                    sensitive=entry.sensitive or path in self.outcome.hidden or not there.mode & 0o004,
                    owner=_name(pwd.getpwuid, there.uid),
                    group=_name(grp.getgrgid, there.gid),
                )
            )
        return found

    def _written(self) -> list[Entry]:
        return [entry for entry in self.entries if entry.kind != "absent"]

    def _commit(self, before: Sequence[Entry], after: Sequence[Entry]) -> None:
        latest = self.store.latest()
        if [entry for entry in before if entry.kind != "absent"] and not _same(before, latest):
            self.store.record(before, self.request, "found")
        self.outcome.generation = self.store.record(after, self.request, "written")
        self.store.prune(self.request.keep)
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        self.store.settle()
        self.store.forget()


def _same(before: Sequence[Entry], latest: Sequence[Entry]) -> bool:
    """Whether what was found is what the newest generation had written, absent paths aside."""

    def present(entries: Sequence[Entry]) -> list[Entry]:
        return [entry for entry in entries if entry.kind in ("file", "link")]

    return fingerprint(present(before)) == fingerprint(present(latest))


def _name(lookup: Any, number: int) -> str:
    try:
        return str(lookup(number)[0])
    except KeyError:
        return str(number)


def _interrupted(number: int, _frame: Any) -> None:
    raise Refused(f"the run was ended by signal {number}, and the new configuration was put back.")
