# GNU General Public License v3.0+ (see LICENSE)
"""What the transaction keeps for itself on the host: a lock, the journal of the running change, earlier generations."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

from .files import mount_of, remove, replace_durably, sync_directory, undo, write_durably
from .wanted import Entry, Refused, Request, Unit, fingerprint


class Store:
    """The directory of one named configuration, below ``root``, readable by its owner alone."""

    def __init__(self, name: str, root: str) -> None:
        self.name = name
        self.root = root
        self.path = os.path.join(root, name)
        self.transaction = os.path.join(self.path, "transaction")
        self.journal = os.path.join(self.transaction, "journal.json")
        self.litter = os.path.join(self.transaction, "litter.json")
        self.owed = os.path.join(self.path, "owed.json")
        self.generations = os.path.join(self.path, "generations")

    @contextmanager
    def locked(self, seconds: float) -> Iterator[None]:
        """Hold the host's one lock on configuration.

        :raises Refused: another run still held it after ``seconds``.
        """
        os.makedirs(self.generations, mode=0o700, exist_ok=True)
        for path in (self.root, self.path, self.generations):
            os.chmod(path, 0o700)
        handle = os.open(os.path.join(self.root, "lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            deadline = time.monotonic() + seconds
            while True:
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() >= deadline:
                        holder = os.pread(handle, 200, 0).decode(errors="replace") or "another process"
                        raise Refused(
                            f"{self.name}: {holder} has been changing this host's configuration for {seconds:.0f} seconds; run"
                            " again when it has ended."
                        ) from None
                    time.sleep(0.1)
            os.ftruncate(handle, 0)
            os.pwrite(handle, f"process {os.getpid()} ({self.name})".encode(), 0)
            yield
        finally:
            os.close(handle)

    # The running change

    def begin(self) -> None:
        """Make a fresh directory for staging."""
        os.mkdir(self.transaction, 0o700)
        os.mkdir(os.path.join(self.transaction, "new"))
        os.mkdir(os.path.join(self.transaction, "old"))

    def note_litter(self, paths: Sequence[str]) -> None:
        """Remember staged paths outside of the own directory before they are made."""
        if paths:
            replace_durably(self.litter, json.dumps(paths).encode())

    def clean(self) -> None:
        """Remove everything staged; only once no journal needs it."""
        if os.path.exists(self.litter):
            with open(self.litter, encoding="utf-8") as stream:
                for path in json.load(stream):
                    remove(path)
        remove(self.transaction)

    def write_journal(self, steps: Sequence[Mapping[str, Any]], units: Mapping[str, str], reload_units: bool) -> None:
        """From here on the change is either finished or undone, by this run or by the next."""
        staged = {step.get(key) for step in steps for key in ("new", "old", "staged")} - {None}
        for path in sorted({os.path.dirname(str(path)) for path in staged}):
            sync_directory(path)
        content = {"steps": steps, "units": units, "daemon_reload": reload_units}
        replace_durably(self.journal, json.dumps(content).encode())
        sync_directory(self.path)

    def read_journal(self) -> dict[str, Any] | None:
        try:
            with open(self.journal, encoding="utf-8") as stream:
                found: dict[str, Any] = json.load(stream)
                return found
        except FileNotFoundError:
            return None

    def undo(self) -> dict[str, Any]:
        """Take the journal's steps back, newest first, note what units are owed, and forget the journal; returns what it said.

        :raises OSError: a step could not be taken back. All others were, and the journal stays.
        """
        journal = self.read_journal() or {"steps": [], "units": {}, "daemon_reload": False}
        failed: list[OSError] = []
        for step in reversed(journal["steps"]):
            try:
                undo(step)
            except OSError as error:
                failed.append(error)
        if failed:
            raise failed[0]
        self.sync(journal["steps"])
        self.owe(journal["units"], journal["daemon_reload"])
        self.forget()
        return journal

    # What units are owed by runs that changed something and did not get to tell them

    def owe(self, units: Mapping[str, str], daemon_reload: bool, items: Sequence[str] = ()) -> None:
        """Remember, until :meth:`settle`, what has to be done to units although no file changes any more."""
        known = self.read_owed()
        content = {
            "units": {**known["units"], **units},
            "daemon_reload": known["daemon_reload"] or daemon_reload,
            "items": sorted({*known["items"], *items}),
        }
        if content["units"] or content["daemon_reload"] or content["items"]:
            replace_durably(self.owed, json.dumps(content).encode())

    def read_owed(self) -> dict[str, Any]:
        try:
            with open(self.owed, encoding="utf-8") as stream:
                found: dict[str, Any] = json.load(stream)
                return found
        except FileNotFoundError:
            return {"units": {}, "daemon_reload": False, "items": []}

    def settle(self) -> None:
        if os.path.exists(self.owed):
            os.unlink(self.owed)
            sync_directory(self.path)

    def sync(self, steps: Sequence[Mapping[str, Any]]) -> None:
        """Make the renames of these steps durable."""
        for path in sorted({os.path.dirname(step["path"]) for step in steps}):
            if os.path.isdir(path):
                sync_directory(path)

    def forget(self) -> None:
        """The point of no return: without a journal, what is on the disk is what was wanted."""
        if os.path.exists(self.journal):
            os.unlink(self.journal)
            sync_directory(self.transaction)
        with suppress(OSError):  # what is left over is the next run's to remove
            self.clean()

    def staging_place(self, path: str, points: set[str], name: str) -> str:
        """Where something is staged that a rename is to bring to ``path``: here, else hidden beside it."""
        folder = os.path.dirname(path)
        while not os.path.isdir(folder):
            folder = os.path.dirname(folder)
        if mount_of(self.path, points) == mount_of(folder, points):
            return os.path.join(self.transaction, name)
        return os.path.join(folder, f".{os.path.basename(path)}.lemp-{name.replace(os.sep, '-')}")

    # Earlier generations

    def numbers(self) -> list[int]:
        """The generations that are kept, oldest first."""
        if not os.path.isdir(self.generations):
            return []
        return sorted(int(name[:-5]) for name in os.listdir(self.generations) if name[:-5].isdigit() and name.endswith(".json"))

    def load(self, number: int) -> dict[str, Any]:
        """One generation: number, time, origin, entries and what it takes to put it back.

        :raises Refused: there is none with this number.
        """
        try:
            with open(self._file(number), encoding="utf-8") as stream:
                found: dict[str, Any] = json.load(stream)
        except FileNotFoundError:
            kept = ", ".join(str(one) for one in self.numbers()) or "none"
            raise Refused(f"generation is {number}, but of {self.name} this host keeps {kept}; choose one of them.") from None
        return {**found, "number": number}

    def entries(self, number: int) -> list[Entry]:
        return [Entry.from_json(values) for values in self.load(number)["entries"]]

    def latest(self) -> list[Entry]:
        """The paths as the newest generation has them; none where there is no generation."""
        numbers = self.numbers()
        return self.entries(numbers[-1]) if numbers else []

    def record(self, entries: Sequence[Entry], request: Request, origin: str) -> int:
        """Keep a generation unless it equals the newest; returns the number of the one that holds these entries."""
        numbers = self.numbers()
        mark = fingerprint(entries)
        if numbers and fingerprint(self.entries(numbers[-1])) == mark:
            return numbers[-1]
        number = (numbers[-1] if numbers else 0) + 1
        content = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "origin": origin,
            "fingerprint": mark,
            "entries": [entry.to_json() for entry in entries],
            "owned": request.owned,
            "trees": request.trees,
            "validators": request.validators,
            # What somebody else wrote need not listen where our own configuration does.
            "units": [{**unit.__dict__, **({"listen": [], "url": ""} if origin == "found" else {})} for unit in request.units],
            "timeout": request.timeout,
        }
        temporary = f"{self._file(number)}.new"
        remove(temporary)
        write_durably(temporary, json.dumps(content).encode())
        os.rename(temporary, self._file(number))
        sync_directory(self.generations)
        return number

    def overview(self) -> list[dict[str, Any]]:
        """All kept generations without their content, oldest first."""
        numbers = self.numbers()
        return [
            {
                "generation": number,
                "time": kept["time"],
                "origin": kept["origin"],
                "files": [entry["path"] for entry in kept["entries"] if entry["kind"] in ("file", "link")],
                "current": number == numbers[-1],
            }
            for number, kept in ((number, self.load(number)) for number in numbers)
        ]

    def prune(self, keep: int) -> None:
        for number in self.numbers()[:-keep]:
            os.unlink(self._file(number))

    def request_of(self, number: int, keep: int) -> Request:
        """What brings a generation back: its paths, and of younger ones those that it does not have."""
        kept = self.load(number)
        entries = self.entries(number)
        known = {entry.path for entry in entries}
        younger = [
            Entry(entry.path, "absent") for entry in self.latest() if entry.path not in known and entry.kind in ("file", "link")
        ]
        units = [Unit.from_json(unit) for unit in kept["units"]]
        names = {unit.name for unit in units}
        newest = [Unit.from_json(unit) for unit in self.load(self.numbers()[-1])["units"]]
        # Younger units may lose their files: they are told, but need not be well.
        units += [replace(unit, running=False, listen=(), url="") for unit in newest if unit.name not in names]
        return Request(
            name=self.name,
            entries=(*entries, *younger),
            owned=tuple(kept["owned"]),
            trees=tuple(kept["trees"]),
            validators=tuple(tuple(argv) for argv in kept["validators"]),
            units=tuple(units),
            timeout=kept["timeout"],
            keep=keep,
        )

    def _file(self, number: int) -> str:
        return os.path.join(self.generations, f"{number:06d}.json")


def stored_names(root: str) -> list[str]:
    """The names of all configurations that this host keeps generations of."""
    if not os.path.isdir(root):
        return []
    return sorted(name for name in os.listdir(root) if os.path.isdir(os.path.join(root, name, "generations")))
