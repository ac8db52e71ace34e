# GNU General Public License v3.0+ (see LICENSE)
"""The systemd units that read the configuration: what state they are in, what is done to them, whether they are well."""

from __future__ import annotations

import http.client
import os
import re
import subprocess
import time
import urllib.parse
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from .wanted import Unit, verb

SETTLE_SECONDS = 1.0
PROPERTIES = ("ActiveState", "UnitFileState", "MainPID", "LoadState")
COMPLAINT = re.compile(r"emerg|alert|crit|error|fatal|fail|cannot|could not|denied", re.I)


@dataclass(frozen=True)
class State:
    """What systemd says of a unit."""

    active: str = "inactive"
    file: str = ""
    pid: int = 0
    loaded: bool = False

    @property
    def is_active(self) -> bool:
        return self.active in ("active", "reloading")

    @property
    def is_in_use(self) -> bool:
        return self.is_active or self.file == "enabled"


def systemctl(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["systemctl", *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)


def states(names: Sequence[str]) -> dict[str, State]:
    """The state of every unit, asked for in one call."""
    if not names:
        return {}
    answer = systemctl("show", *(f"--property={name}" for name in PROPERTIES), "--", *names)
    blocks = [dict(line.split("=", 1) for line in block.splitlines() if "=" in line) for block in answer.stdout.split("\n\n")]
    blocks = [block for block in blocks if block] + [{}] * len(names)
    return {
        name: State(
            block.get("ActiveState", "inactive"),
            block.get("UnitFileState", ""),
            int(block.get("MainPID", "0")),
            block.get("LoadState", "") == "loaded",
        )
        for name, block in zip(names, blocks)
    }


def unhappy(units: Iterable[Unit], known: Mapping[str, State]) -> list[str]:
    """Names of the units that shall run and are not started or not enabled."""
    return [
        unit.name
        for unit in units
        if unit.running and (not known[unit.name].is_active or known[unit.name].file in ("disabled", ""))
    ]


def fields_of(pid: int | str) -> list[str]:
    """The fields of a process behind its name, from its state on (proc_pid_stat(5), field 3); empty where it is gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stream:
            return stream.read().rpartition(")")[2].split()
    except OSError:
        return []


def children(pid: int) -> set[str]:
    """The child processes of a process, as numbers with their start times, which no second process shares."""
    known = {name: fields_of(name) for name in os.listdir("/proc") if name.isdigit()}
    return {f"{name}@{fields[19]}" for name, fields in known.items() if fields and fields[1] == str(pid)}


def image(pid: int) -> str:
    """What tells apart the programs that one process executes one after another: where the stack begins is chosen anew."""
    fields = fields_of(pid)
    return fields[25] if fields else ""


def held_addresses(pid: int) -> set[str]:
    """Ports and socket paths on which a process listens."""
    inodes = set()
    try:
        for name in os.listdir(f"/proc/{pid}/fd"):
            try:
                target = os.readlink(f"/proc/{pid}/fd/{name}")
            except OSError:
                continue
            if target.startswith("socket:["):
                inodes.add(target[8:-1])
        found = set()
        for table in ("tcp", "tcp6"):
            for fields in _table(pid, table):
                # State 0A is LISTEN; the port is in hexadecimal digits behind the address.
                if fields[3] == "0A" and fields[9] in inodes:
                    found.add(str(int(fields[1].rpartition(":")[2], 16)))
        for fields in _table(pid, "unix"):
            if len(fields) > 7 and fields[6] in inodes:
                found.add(fields[7])
    except OSError:
        return set()
    return found


def _table(pid: int, name: str) -> list[list[str]]:
    try:
        with open(f"/proc/{pid}/net/{name}", encoding="utf-8", errors="replace") as stream:
            return [line.split() for line in stream.readlines()[1:]]
    except FileNotFoundError:
        return []


def answer(url: str, timeout: float) -> int:
    """The status with which a plain HTTP address answers; 0 where nothing does."""
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=timeout)
    try:
        connection.request("GET", parts.path or "/")
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


def complaint(unit: Unit, state: State) -> str:
    """Why a unit in this state is not well; empty where it is."""
    if state.active not in ("active", "reloading"):
        return f"{unit.name} is {state.active}"
    if unit.listen:
        missing = [address for address in unit.listen if address not in held_addresses(state.pid)]
        if missing:
            return f"{unit.name} runs, but does not listen on {', '.join(missing)}"
    if unit.url:
        status = answer(unit.url, 5)
        if status != unit.status:
            return f"{unit.name} runs, but {unit.url} answers {status or 'nothing'} instead of {unit.status}"
    return ""


class Reload:
    """The main process as it was before a reload, to see whether it took its new configuration."""

    def __init__(self, unit: Unit, pid: int) -> None:
        self.unit = unit
        self.image = image(pid)
        self.children = children(pid)
        self.executed_at = 0.0

    def is_through(self, pid: int) -> bool:
        """Whether the unit's main process has shown what its kind shows after a reload that worked."""
        has_child = bool(children(pid) - self.children)
        if not self.unit.reload_execs:
            return has_child or not self.unit.reload_forks
        # The kernel says 0 to those who may not know.
        if not self.executed_at and (self.image == "0" or image(pid) != self.image):
            self.executed_at = time.monotonic()
        # A new program without a child, as PHP-FPM with ondemand pools alone, may still be about to end.
        return self.executed_at > 0 and (has_child or time.monotonic() - self.executed_at > SETTLE_SECONDS)


def wait_until_well(unit: Unit, timeout: float, reload: Reload | None = None) -> str:
    """Wait until a unit is well; returns what is wrong when the time is over, else nothing.

    :param reload: what was begun before, and has to come through.
    """
    deadline = time.monotonic() + timeout
    while True:
        state = states([unit.name])[unit.name]
        wrong = complaint(unit, state)
        if not wrong and reload and not reload.is_through(state.pid):
            wrong = f"{unit.name} did not take the new configuration"
        if not wrong or state.active == "failed" or time.monotonic() >= deadline:
            return wrong
        time.sleep(0.05)


class Operation:
    """Brings units to the changed configuration, and remembers enough to bring them back."""

    def __init__(self, units: Sequence[Unit], items: Sequence[str], forced: Mapping[str, str], timeout: int) -> None:
        self.units = units
        self.items = items
        self.forced = forced
        self.timeout = timeout
        self.before = states([unit.name for unit in units])
        self.taken: dict[str, str] = {}
        self.started = time.time()
        self.log_sizes = {unit.log: os.path.getsize(unit.log) for unit in units if unit.log and os.path.exists(unit.log)}

    def planned(self) -> dict[str, str]:
        """What is going to be done to each unit."""
        found = {
            unit.name: verb(unit, self.items, self.before[unit.name].is_active, self.forced.get(unit.name, ""))
            for unit in self.units
        }
        return {name: action for name, action in found.items() if action}

    def changes(self) -> list[str]:
        """Units whose state itself changes: started, stopped, or enabled at boot."""
        planned = self.planned()
        unwell = unhappy(self.units, self.before)
        return [
            unit.name
            for unit in self.units
            if unit.name in unwell
            or (
                planned.get(unit.name) == "stop"
                and (self.before[unit.name].is_active or self.before[unit.name].file == "enabled")
            )
        ]

    def pause(self) -> None:
        """End what will be started anew, before systemd holds it to limits that are meant for its successor."""
        planned = self.planned()
        restarted = [unit for unit in self.units if planned.get(unit.name) == "restart" and self.before[unit.name].is_active]
        self._call(restarted, "restart", "stop")

    def resume(self, earlier: Operation) -> None:
        """Go on after :meth:`pause`, with units as they were before."""
        self.before.update({name: earlier.before[name] for name in earlier.taken})
        self.taken.update(earlier.taken)

    def run(self) -> str:
        """Do it and wait until every unit is well; returns what went wrong, or nothing.

        A hundred timers are stopped, enabled, started and looked at in one call each.
        """
        planned = self.planned()

        def with_action(action: str) -> list[Unit]:
            return [unit for unit in self.units if planned.get(unit.name) == action]

        # A unit that ends takes its sockets away, so it must end before another opens the same ones.
        stopped = [unit for unit in with_action("stop") if self.before[unit.name].is_in_use]
        wrong = self._call(stopped, "stop", "disable", "--now", "--quiet")
        if wrong:
            return wrong
        disabled = [
            unit
            for unit in self.units
            if unit.running and self.before[unit.name].file in ("disabled", "") and planned.get(unit.name) != "stop"
        ]
        wrong = self._call(disabled, "enable", "enable", "--quiet")
        if wrong:
            return wrong
        failed = [unit.name for unit in self.units if unit.name in planned and self.before[unit.name].active == "failed"]
        if failed:
            systemctl("reset-failed", *failed)
        started = with_action("start")
        refused = self._call(started, "start", "start")
        for unit in (*with_action("reload"), *with_action("restart")):
            wrong = self._take(unit, planned[unit.name])
            if wrong:
                return self._explained(unit, wrong)
        watched = [*started, *(unit for unit in self.units if unit.running and unit.name not in planned)]
        known = states([unit.name for unit in watched])
        for unit in watched:
            if refused and unit in started and not known[unit.name].is_active:
                return self._explained(unit, f"{unit.name} did not start")
            wrong = complaint(unit, known[unit.name]) and wait_until_well(unit, self.timeout)
            if wrong:
                return self._explained(unit, wrong)
        return refused

    def _call(self, units: Sequence[Unit], taken: str, *command: str) -> str:
        """One call of ``systemctl`` for many units; returns what it said where it failed."""
        if not units:
            return ""
        self.taken.update({unit.name: taken for unit in units})
        done = systemctl(*command, *(unit.name for unit in units))
        return done.stderr.strip() or f"systemctl {command[0]} failed" if done.returncode else ""

    def _take(self, unit: Unit, action: str) -> str:
        """Let a running unit take its new configuration."""
        self.taken[unit.name] = action
        reload = Reload(unit, self.before[unit.name].pid) if action == "reload" else None
        done = systemctl(action, unit.name)
        if done.returncode:
            return f"{unit.name} did not {action}"
        return wait_until_well(unit, self.timeout, reload)

    def undo(self) -> str:
        """Bring the units back to what they were, with the old files in place again; returns what is still wrong."""
        wrong = []
        for unit in self.units:
            action = self.taken.get(unit.name)
            if not action:
                continue
            before = self.before[unit.name]
            now = states([unit.name])[unit.name]
            if before.is_active and action != "enable":
                systemctl("reset-failed", unit.name)
                # A daemon that refused what it was to reload runs on and takes the old files the same way.
                reload = Reload(unit, now.pid) if action == "reload" and now.is_active else None
                systemctl("reload" if reload else "restart", unit.name)
                if action == "stop" and before.file == "enabled":
                    systemctl("enable", "--quiet", unit.name)
                wrong.append(wait_until_well(replace(unit, listen=(), url=""), self.timeout, reload))
            elif before.active == "activating":
                wrong.append(wait_until_well(replace(unit, listen=(), url=""), self.timeout))
            elif not before.is_active:
                systemctl("stop", unit.name)
                systemctl("reset-failed", unit.name)
            if unit.running and before.file == "disabled":
                systemctl("disable", "--quiet", unit.name)
        return "; ".join(text for text in wrong if text)

    def _explained(self, unit: Unit, wrong: str) -> str:
        said = self._log_lines(unit) + self._journal_lines(unit)
        telling = [line for line in said if COMPLAINT.search(line)] or said[-3:]
        seen: list[str] = []
        for line in telling:
            if line not in seen:
                seen.append(line)
        return f"{wrong}: {'; '.join(seen[-5:])}" if seen else wrong

    def _journal_lines(self, unit: Unit) -> list[str]:
        """What the daemon itself said since the change, without systemd's own words about it."""
        try:
            # What a daemon said just before it ended may still be on its way to the journal.
            subprocess.run(["journalctl", "--sync"], stdin=subprocess.DEVNULL, capture_output=True, timeout=20, check=False)
            done = subprocess.run(
                [
                    "journalctl",
                    f"_SYSTEMD_UNIT={unit.name}",
                    f"--since=@{int(self.started)}",
                    "--lines=30",
                    "--output=cat",
                    "--no-pager",
                ],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=20,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return []
        return [line.strip() for line in done.stdout.splitlines() if line.strip() and not line.startswith("-- ")]

    def _log_lines(self, unit: Unit) -> list[str]:
        if not unit.log or not os.path.exists(unit.log):
            return []
        with open(unit.log, encoding="utf-8", errors="replace") as stream:
            stream.seek(self.log_sizes.get(unit.log, 0))
            return [line.strip() for line in stream.readlines()[-30:]]
