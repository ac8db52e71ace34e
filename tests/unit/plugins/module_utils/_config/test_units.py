"""How a daemon shows that a reload worked, with real processes."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ansible_collections.lemp.stack.plugins.module_utils._config import units
from ansible_collections.lemp.stack.plugins.module_utils._config.units import Operation, Reload, State, image
from ansible_collections.lemp.stack.plugins.module_utils._config.wanted import Unit


class Daemon:
    """A process with the main process's ways: it forks, or executes itself anew, when a line comes in."""

    def __init__(self, on_reload: str) -> None:
        code = f"import os, sys, time\nwhile sys.stdin.readline():\n    {on_reload}\n    os.write(1, b'.')\n"
        self.process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def reload(self) -> None:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()
        self.process.stdout.read(1)

    def end(self) -> None:
        self.process.kill()
        with self.process:
            pass


FORK = "os.fork() or time.sleep(10) or os._exit(0)"
EXEC = "os.write(1, b'.'); os.execv(sys.executable, [sys.executable, '-c', 'import time; time.sleep(10)'])"


@pytest.mark.parametrize(
    ("unit", "on_reload", "is_through"),
    [
        (Unit("a.service"), "pass", True),
        (Unit("a.service", reload_forks=True), "pass", False),
        (Unit("a.service", reload_forks=True), FORK, True),
        (Unit("a.service", reload_execs=True), "pass", False),
        (Unit("a.service", reload_execs=True), FORK, False),
    ],
)
def test_a_reload_is_through_when_the_process_shows_it(unit: Unit, on_reload: str, is_through: bool) -> None:
    daemon = Daemon(on_reload)
    try:
        daemon.reload()
        reload = Reload(unit, daemon.process.pid)
        daemon.reload()
        assert reload.is_through(daemon.process.pid) == is_through
    finally:
        daemon.end()


def test_a_program_executed_anew_without_a_child_has_to_live_on(monkeypatch: pytest.MonkeyPatch) -> None:
    daemon = Daemon(EXEC)
    try:
        reload = Reload(Unit("a.service", reload_execs=True), daemon.process.pid)
        daemon.reload()
        deadline = time.monotonic() + 10
        while image(daemon.process.pid) == reload.image and time.monotonic() < deadline:
            time.sleep(0.01)
        assert not reload.is_through(daemon.process.pid)
        monkeypatch.setattr(units, "SETTLE_SECONDS", 0.0)
        assert reload.is_through(daemon.process.pid)
    finally:
        daemon.end()


def test_what_a_daemon_said_in_the_second_of_the_change_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "journalctl").write_text('#!/bin/sh\nfor word; do echo "$word"; done\n')
    (tmp_path / "journalctl").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(units.time, "time", lambda: 100.9)
    said = Operation([], [], {}, 0)._journal_lines(Unit("a.service"))
    assert "--since=@100" in said


def test_what_is_started_anew_ends_before_systemd_takes_its_new_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[str, ...]] = []

    def systemctl(*arguments: str) -> subprocess.CompletedProcess[str]:
        calls.append(arguments)
        return subprocess.CompletedProcess(arguments, 0, "", "")

    active = State("active", "enabled", 1, True)
    states = iter(
        [{"db.service": active, "web.service": active}, {"db.service": State("inactive", "enabled"), "web.service": active}]
    )
    monkeypatch.setattr(units, "systemctl", systemctl)
    monkeypatch.setattr(units, "states", lambda names: next(states))
    both = [Unit(name="db.service", restart_on=("/etc/db",)), Unit(name="web.service", reload_on=("/etc/db",))]
    earlier = Operation(both, ["/etc/db"], {}, 1)
    earlier.pause()
    assert calls == [("stop", "db.service")]
    later = Operation(both, ["/etc/db"], {}, 1)
    later.resume(earlier)
    assert later.planned() == {"db.service": "restart", "web.service": "reload"}
    assert later.taken == {"db.service": "restart"}
    assert later.changes() == []
