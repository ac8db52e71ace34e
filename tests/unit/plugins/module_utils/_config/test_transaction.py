"""All or nothing: from every state to every other, through refusals, full disks and death at any step."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import stat
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from _config_desk import Desk

from ansible_collections.lemp.stack.plugins.module_utils._config import files, staging, transaction, validation
from ansible_collections.lemp.stack.plugins.module_utils._config.files import CannotExchange
from ansible_collections.lemp.stack.plugins.module_utils._config.wanted import Entry, Refused, Unit


def first_set(desk: Desk) -> tuple[Entry, ...]:
    return (
        desk.directory("tree/sites"),
        desk.directory("state", 0o700),
        desk.file("tree/main.conf", "main 1"),
        desk.file("tree/sites/lemp-a.conf", "a 1"),
        desk.file("tree/sites/lemp-gone.conf", "gone"),
        desk.file("outside.conf", "outside 1"),
        desk.file("lemp-gone", "gone outside"),
        desk.file("new/below/kept", "first", keep=True, mode=0o600),
        desk.link("link", "one"),
    )


def second_set(desk: Desk) -> tuple[Entry, ...]:
    return (
        desk.directory("tree/sites", 0o750),
        desk.directory("state", 0o750),
        desk.directory("tree/more"),
        desk.file("tree/main.conf", "main 2", mode=0o600),
        desk.file("tree/sites/lemp-a.conf", "a 1", mode=0o600),
        desk.file("tree/more/lemp-b.conf", "b 2"),
        desk.file("outside.conf", "outside 2"),
        desk.file("new/below/kept", "second", keep=True, mode=0o640),
        desk.file("lemp-other", "other"),
        desk.link("link", "two"),
    )


def owned(desk: Desk) -> dict[str, Any]:
    return {"owned": (str(desk.root / "tree" / "*" / "lemp-*"), str(desk.root / "lemp-*"))}


def test_a_set_is_written_and_a_second_run_changes_nothing(desk: Desk) -> None:
    outcome = desk.run(*first_set(desk), **owned(desk))
    assert outcome.changed[:2] == [str(desk.root / "new"), str(desk.root / "new" / "below")]
    state = desk.state()
    assert state["tree/sites/lemp-a.conf"] == "644 a 1"
    assert state["new/below/kept"] == "600 first"
    assert state["link"] == "-> one"
    assert desk.run(*first_set(desk), **owned(desk)).changed == []
    assert desk.state() == state


def test_check_mode_tells_the_same_and_leaves_nothing_behind(desk: Desk, tmp_path: Path) -> None:
    before = desk.state()
    told = desk.run(*first_set(desk), check_mode=True, **owned(desk)).changed
    assert desk.state() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["root"]
    assert told == desk.run(*first_set(desk), **owned(desk)).changed


def test_what_is_no_longer_wanted_goes_and_what_others_own_stays(desk: Desk) -> None:
    desk.run(*first_set(desk), **owned(desk))
    (desk.tree / "sites" / "foreign.conf").write_text("foreign")
    (desk.tree / "foreign-link").symlink_to("nowhere")
    inode = (desk.tree / "sites" / "foreign.conf").stat().st_ino
    desk.run(*second_set(desk), **owned(desk))
    state = desk.state()
    assert not {name for name in state if "gone" in name}
    assert state["tree/sites/foreign.conf"] == "644 foreign"
    assert state["tree/foreign-link"] == "-> nowhere"
    assert (desk.tree / "sites" / "foreign.conf").stat().st_ino == inode
    assert state["new/below/kept"] == "640 first"
    assert state["tree/sites"] == "750"


def test_nothing_staged_is_left(desk: Desk) -> None:
    desk.run(*first_set(desk), **owned(desk))
    desk.run(*second_set(desk), **owned(desk))
    assert not [name for name in desk.state() if ".lemp" in name]
    assert not os.path.exists(desk.store.transaction)


def test_a_validator_sees_the_whole_staged_set_and_its_refusal_changes_nothing(desk: Desk) -> None:
    if not can_have_mounts():
        pytest.skip("this machine gives no private mount namespace")
    desk.run(*first_set(desk), **owned(desk))
    before = desk.state()
    look = f"cat {desk.root}/outside.conf {desk.tree}/main.conf {desk.tree}/more/lemp-b.conf; echo; ls {desk.tree}/sites"
    with pytest.raises(Refused) as refused:
        desk.run(*second_set(desk), validators=(("sh", "-c", f"{look}; exit 1"),), **owned(desk))
    said = str(refused.value)
    assert "the new configuration was refused and nothing was changed: outside 2main 2b 2" in said
    assert "lemp-a.conf" in said
    assert "lemp-gone" not in said
    assert desk.state() == before
    assert desk.store.numbers() == [1]


def can_have_mounts() -> bool:
    return subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize("check_mode", [False, True])
def test_without_a_namespace_the_live_set_is_judged_and_put_back(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, check_mode: bool
) -> None:
    desk.run(*first_set(desk), **owned(desk))
    before = desk.state()
    monkeypatch.setattr(validation, "PRIVATE", ("sh", "-c", "echo unshare: not permitted; exit 1", "sh"))
    judge = (
        "sh",
        "-c",
        f"! grep -q 'main 2' {desk.tree}/main.conf || {{ echo no such directive in {desk.tree}/main.conf:1; exit 1; }}",
    )
    if check_mode:
        assert desk.run(*second_set(desk), validators=(judge,), check_mode=True, **owned(desk)).validated == "skipped"
    else:
        with pytest.raises(Refused, match=r"refused and put back: no such directive .* \(line 1 of .*main.conf: main 2\)"):
            desk.run(*second_set(desk), validators=(judge,), **owned(desk))
    assert desk.state() == before
    assert desk.run(*first_set(desk), validators=(judge,), **owned(desk)).changed == []


def test_a_tree_that_cannot_be_exchanged_is_changed_file_by_file(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = Desk(desk.root.parent / "expected")
    for one in (desk, expected):
        one.run(*first_set(one), **owned(one))
    expected.run(*second_set(expected), **owned(expected))
    inode = desk.tree.stat().st_ino

    def refuse(first: str, second: str) -> None:
        raise CannotExchange("no")

    monkeypatch.setattr(files, "exchange", refuse)
    desk.run(*second_set(desk), **owned(desk))
    assert desk.state() == expected.state()
    assert desk.tree.stat().st_ino == inode


def test_what_others_do_while_a_tree_is_staged_is_brought_along(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.run(*first_set(desk), **owned(desk))
    for name in ("edited", "replaced", "removed"):
        (desk.tree / name).write_text("foreign")
    exchange = files.exchange

    def meanwhile(first: str, second: str) -> None:
        with (desk.tree / "edited").open("a") as stream:
            stream.write(" edit")
        (desk.tree / "fresh").write_text("fresh")
        os.replace(desk.tree / "fresh", desk.tree / "replaced")
        (desk.tree / "removed").unlink()
        (desk.tree / "sub").mkdir()
        (desk.tree / "sub" / "added").write_text("added")
        exchange(first, second)

    monkeypatch.setattr(files, "exchange", meanwhile)
    desk.run(*second_set(desk), **owned(desk))
    state = desk.state()
    assert state["tree/edited"].endswith("foreign edit")
    assert state["tree/replaced"].endswith("fresh")
    assert state["tree/sub/added"].endswith("added")
    assert "tree/removed" not in state
    assert state["tree/main.conf"] == "600 main 2"


class Broken:
    """Fails as a full disk or a read-only directory does, at the n-th call of one function."""

    def __init__(self, function: Callable[..., Any], at: int, number: int) -> None:
        self.function, self.at, self.number, self.calls = function, at, number, 0

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        self.calls += 1
        if self.calls == self.at:
            raise OSError(self.number, os.strerror(self.number), "/somewhere")
        return self.function(*arguments, **options)


@pytest.mark.parametrize(
    ("module", "name", "number"),
    [
        (os, "fsync", errno.ENOSPC),
        (os, "link", errno.EIO),
        (os, "rename", errno.EROFS),
        (os, "mkdir", errno.ENOSPC),
        (os, "chown", errno.EROFS),
        (files, "exchange", errno.EROFS),
        (staging, "swap", errno.EIO),
    ],
)
def test_an_error_at_any_call_leaves_the_old_set_whole(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, module: Any, name: str, number: int
) -> None:
    desk.run(*first_set(desk), **owned(desk))
    before = desk.state()
    for at in range(1, 1000):
        broken = Broken(getattr(module, name), at, number)
        with monkeypatch.context() as patched:
            patched.setattr(module, name, broken)
            if module is staging:
                patched.setattr(transaction, name, broken)
            with contextlib.suppress(Refused, OSError):
                desk.run(*second_set(desk), **owned(desk))
        if broken.calls < at:
            break
        # Where undoing failed as well, the next run does it.
        desk.run(*first_set(desk), **owned(desk))
        assert {**desk.state(), "tree/more": ""} == {**before, "tree/more": ""}, at
    assert at > 1, "the function was never called"


KILLED = ("rename", "link", "unlink", "mkdir", "rmdir", "symlink", "fsync", "chown", "chmod", "fchmod", "ftruncate")


def die_at(step: int, work: Callable[[], Any]) -> bool:
    """Do the work in a child process that dies just before its n-th change of the disk; whether it died."""
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) in (0, 9), "the child failed by itself"
        return os.waitstatus_to_exitcode(status) == 9
    calls = 0

    def counted(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == step:
                os._exit(9)
            return function(*arguments, **options)

        return call

    try:
        for name in KILLED:
            setattr(os, name, counted(getattr(os, name)))
        files.exchange = counted(files.exchange)
        work()
    except BaseException:
        os._exit(1)
    os._exit(0)


def tree_of(state: dict[str, str]) -> dict[str, str]:
    return {name: said for name, said in state.items() if name.startswith("tree/")}


@pytest.mark.parametrize("next_run", ["old", "new"])
@pytest.mark.parametrize("exchanged", [True, False])
def test_death_at_any_step_leaves_one_of_the_two_sets_after_the_next_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, next_run: str, exchanged: bool
) -> None:
    if not exchanged:

        def refuse(first: str, second: str) -> None:
            raise CannotExchange("no")

        monkeypatch.setattr(files, "exchange", refuse)
    model = Desk(tmp_path / "model")
    model.run(*first_set(model), **owned(model))
    old = model.state()
    model.run(*second_set(model), **owned(model))
    new = model.state()
    seen = set()
    for step in range(1, 2000):
        desk = Desk(tmp_path / str(step))
        desk.run(*first_set(desk), **owned(desk))
        died = die_at(step, lambda desk=desk: desk.run(*second_set(desk), **owned(desk)))  # type: ignore[misc]
        after = desk.state()
        if not died:
            assert after == new
            break
        visible = {name: said for name, said in after.items() if ".lemp" not in name}
        if exchanged:
            assert tree_of(visible) in (tree_of(old), tree_of(new)), step
        seen.add(json.dumps(visible, sort_keys=True))
        wanted = first_set(desk) if next_run == "old" else second_set(desk)
        desk.run(*wanted, **owned(desk))
        expected = dict(old if next_run == "old" else new)
        left = desk.state()
        # An empty directory may be left, as by any run that is killed.
        left.pop("tree/more", None), expected.pop("tree/more", None)
        assert left == expected, step
        assert not os.path.exists(desk.store.transaction), step
    assert step > 30
    assert len(seen) > 2, "no death between the first change and the last"


def test_death_while_undoing_is_undone_as_well(tmp_path: Path) -> None:
    for step in range(1, 500):
        desk = Desk(tmp_path / str(step))
        desk.run(*first_set(desk), **owned(desk))
        before = desk.state()

        def interrupted(desk: Desk = desk) -> None:
            transaction.swap = after_swap
            desk.run(*second_set(desk), **owned(desk))

        def after_swap(steps: Any) -> None:
            staging.swap(steps)
            if steps and steps[-1]["kind"] != "directory":
                os._exit(9)

        assert die_at(0, interrupted)
        died = die_at(step, desk.store.undo)
        desk.run(*first_set(desk), **owned(desk))
        assert desk.state() == before, step
        if not died:
            break
    assert step > 5


def test_an_interrupted_change_is_reported_in_check_mode_and_undone_only_in_earnest(desk: Desk) -> None:
    desk.run(*first_set(desk), **owned(desk))
    before = desk.state()
    assert die_at_commit(desk)
    assert desk.state() != before
    told = desk.run(*first_set(desk), check_mode=True, **owned(desk))
    assert told.recovered
    assert "transaction:test" in told.changed
    assert os.path.exists(desk.store.journal)
    done = desk.run(*first_set(desk), **owned(desk))
    assert done.recovered
    assert desk.state() == before


def die_at_commit(desk: Desk) -> bool:
    def work() -> None:
        desk.store.record = lambda *arguments: os._exit(9)  # type: ignore[method-assign]
        desk.run(*second_set(desk), **owned(desk))

    return die_at(0, work)


def test_two_runs_at_once_wait_for_each_other(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transaction, "LOCK_SECONDS", 0.3)
    with desk.store.locked(1), pytest.raises(Refused, match=r"process \d+ \(test\) has been changing this host"):
        desk.run(*first_set(desk))
    assert desk.run(*first_set(desk)).changed


def test_the_lock_of_a_killed_run_is_free(desk: Desk) -> None:
    child = os.fork()
    if not child:
        with desk.store.locked(1):
            time.sleep(60)
    deadline = time.monotonic() + 5
    while not os.path.exists(os.path.join(desk.store.root, "lock")) and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(child, 9)
    os.waitpid(child, 0)
    with desk.store.locked(1):
        pass


def test_a_path_that_is_asked_for_twice_is_refused(desk: Desk) -> None:
    with pytest.raises(Refused, match=r"outside.conf is asked for more than once; merge the entries"):
        desk.run(desk.file("outside.conf", "1"), desk.file("outside.conf", "2"))


def test_an_owner_that_does_not_exist_is_refused_before_anything_changes(desk: Desk) -> None:
    entry = Entry(str(desk.root / "a"), "file", owner="nobody-yet")
    with pytest.raises(Refused, match=r"a is to belong to nobody-yet:root, who does not exist on this host"):
        desk.run(desk.file("b", "b"), entry)
    assert desk.state() == {"tree": "755"}
    assert desk.run(desk.file("b", "b"), entry, check_mode=True).changed == [str(desk.root / "b"), str(desk.root / "a")]


def test_a_tree_that_does_not_exist_is_refused(desk: Desk) -> None:
    with pytest.raises(Refused, match="is no directory; install what brings it first"):
        desk.run(desk.file("absent/a", "1"), trees=(str(desk.root / "absent"),))


# Generations


def test_every_written_set_is_kept_and_what_was_found_before_it(desk: Desk) -> None:
    (desk.root / "outside.conf").write_text("by hand")
    desk.run(*first_set(desk), **owned(desk))
    desk.run(*second_set(desk), **owned(desk))
    assert [(kept["origin"], kept["current"]) for kept in desk.store.overview()] == [
        ("found", False),
        ("written", False),
        ("written", True),
    ]
    assert {entry.path: entry.content for entry in desk.store.entries(1)}[str(desk.root / "outside.conf")] == "by hand"


def test_a_change_by_hand_is_kept_before_it_is_overwritten(desk: Desk) -> None:
    desk.run(*first_set(desk), **owned(desk))
    (desk.tree / "main.conf").write_text("edited by hand")
    desk.run(*first_set(desk), **owned(desk))
    assert [kept["origin"] for kept in desk.store.overview()] == ["written", "found", "written"]
    assert {entry.path: entry.content for entry in desk.store.entries(2)}[str(desk.tree / "main.conf")] == "edited by hand"


def test_a_generation_is_put_back_whole(desk: Desk) -> None:
    desk.run(*first_set(desk), **owned(desk))
    old = desk.state()
    desk.run(*second_set(desk), **owned(desk))
    desk.apply(desk.store.request_of(1, 10))
    back = desk.state()
    for name in ("new/below/kept", "state", "tree/more"):
        old.pop(name, None), back.pop(name, None)
    assert back == old
    assert desk.apply(desk.store.request_of(1, 10)).changed == []


def test_a_generation_that_is_not_kept_is_refused_with_those_that_are(desk: Desk) -> None:
    desk.run(*first_set(desk))
    with pytest.raises(Refused, match="generation is 7, but of test this host keeps 1; choose one of them"):
        desk.store.request_of(7, 10)


def test_only_so_many_generations_are_kept(desk: Desk) -> None:
    for number in range(5):
        desk.run(desk.file("a", str(number)), keep=3)
    assert desk.store.numbers() == [3, 4, 5]


def test_what_is_kept_is_readable_by_its_owner_alone(desk: Desk) -> None:
    desk.run(desk.file("secret", "password", mode=0o600))
    for folder, names, found in os.walk(desk.store.root):
        for name in [".", *names, *found]:
            path = os.path.join(folder, name)
            assert stat.S_IMODE(os.stat(path).st_mode) & 0o077 == 0, path


# Units


class Host:
    """Answers for systemd: what runs, and whether a daemon takes a configuration."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        self.log = tmp_path / "systemctl.log"
        self.script = tmp_path / "bin" / "systemctl"
        self.script.parent.mkdir()
        monkeypatch.setenv("PATH", f"{self.script.parent}:{os.environ['PATH']}")
        self.says("active")

    def says(self, state: str, failing: str = "", enabled: str = "enabled") -> None:
        self.script.write_text(
            f'#!/bin/sh\necho "$@" >>{self.log}\n'
            f'state={state} enabled={enabled}\n[ -z "{failing}" ] || [ "$1" != "{failing}" ] || exit 1\n'
            # What was started runs from then on.
            f'[ "$1" != start ] || touch {self.log}.started\n[ ! -e {self.log}.started ] || state=active\n'
            '[ "$1" = show ] || exit 0\nshift\n'
            "for name; do case $name in -*) continue ;; esac\n"
            f'printf "%s\\n" ActiveState=$state UnitFileState=$enabled MainPID={os.getpid()} ""\ndone\n'
        )
        self.script.chmod(0o755)

    @property
    def calls(self) -> list[str]:
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        self.log.unlink(missing_ok=True)
        return [line for line in lines if not line.startswith("show")]


@pytest.fixture(name="host")
def fake_systemd(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Host:
    return Host(monkeypatch, tmp_path)


def test_a_unit_is_reloaded_when_its_files_changed_and_only_then(desk: Desk, host: Host) -> None:
    units = (Unit("a.service", reload_on=(f"{desk.tree}/*",)),)
    desk.run(*first_set(desk), units=units, **owned(desk))
    assert host.calls == ["reload a.service"]
    desk.run(*first_set(desk), units=units, **owned(desk))
    assert host.calls == []


def test_a_reload_that_fails_puts_everything_back_and_reloads_again(desk: Desk, host: Host) -> None:
    units = (Unit("a.service", reload_on=(f"{desk.tree}/*",)),)
    desk.run(*first_set(desk), units=units, **owned(desk))
    before = desk.state()
    host.calls  # noqa: B018
    host.says("active", failing="reload")
    with pytest.raises(Refused, match=r"test: the new configuration was put back: a.service did not reload"):
        desk.run(*second_set(desk), units=units, timeout=0, **owned(desk))
    assert desk.state() == before
    assert [call for call in host.calls if "reset-failed" not in call] == ["reload a.service", "reload a.service"]
    assert desk.store.numbers() == [1]


def test_a_unit_that_is_not_well_afterwards_puts_everything_back(desk: Desk, host: Host) -> None:
    desk.run(*first_set(desk), **owned(desk))
    before = desk.state()
    units = (Unit("a.service", reload_on=(f"{desk.tree}/*",), listen=("/run/absent.sock",)),)
    with pytest.raises(Refused, match=r"a.service runs, but does not listen on /run/absent.sock"):
        desk.run(*second_set(desk), units=units, timeout=0, **owned(desk))
    assert desk.state() == before


def test_an_unchanged_set_still_has_to_be_served(desk: Desk, host: Host) -> None:
    desk.run(*first_set(desk), **owned(desk))
    units = (Unit("a.service", listen=("/run/absent.sock",)),)
    with pytest.raises(Refused, match=r"nothing was to be changed, but a.service runs, but does not listen"):
        desk.run(*first_set(desk), units=units, timeout=0, **owned(desk))


def test_many_units_are_enabled_and_started_in_one_call_each(desk: Desk, host: Host) -> None:
    host.says("inactive", enabled="disabled")
    desk.run(*first_set(desk), units=(Unit("a.timer"), Unit("b.timer")), **owned(desk))
    assert host.calls == ["enable --quiet a.timer b.timer", "start a.timer b.timer"]


def test_many_units_are_stopped_in_one_call(desk: Desk, host: Host) -> None:
    units = tuple(Unit(name, running=False, stop_on=(f"{desk.tree}/*",)) for name in ("a.timer", "b.timer"))
    desk.run(*first_set(desk), units=units, **owned(desk))
    assert host.calls == ["disable --now --quiet a.timer b.timer"]


def test_units_that_do_not_start_put_everything_back(desk: Desk, host: Host) -> None:
    desk.run(*first_set(desk), **owned(desk))
    before = desk.state()
    host.says("inactive", failing="start")
    with pytest.raises(Refused, match=r"the new configuration was put back: a.service did not start"):
        desk.run(*second_set(desk), units=(Unit("a.service"), Unit("b.service")), timeout=0, **owned(desk))
    assert desk.state() == before
    assert host.calls[-4:] == ["stop a.service", "reset-failed a.service", "stop b.service", "reset-failed b.service"]


def test_what_an_interrupted_run_owed_a_unit_is_done_by_the_next(desk: Desk, host: Host) -> None:
    units = (Unit("a.service", reload_on=(f"{desk.tree}/*",)),)
    desk.run(*first_set(desk), units=units, **owned(desk))

    def work() -> None:
        desk.store.record = lambda *arguments: os._exit(9)  # type: ignore[method-assign]
        desk.run(*second_set(desk), units=units, **owned(desk))

    assert die_at(0, work)
    host.calls  # noqa: B018
    outcome = desk.run(*first_set(desk), units=units, **owned(desk))
    assert outcome.recovered
    assert host.calls == ["reload a.service"]


def test_a_signal_in_the_middle_puts_everything_back(desk: Desk, host: Host) -> None:
    desk.run(*first_set(desk), **owned(desk))
    before = desk.state()
    script = host.script.read_text()
    host.script.write_text(script.replace("#!/bin/sh\n", f'#!/bin/sh\n[ "$1" != reload ] || kill -TERM {os.getpid()}\n'))
    units = (Unit("a.service", reload_on=(f"{desk.tree}/*",)),)
    with pytest.raises(Refused, match="ended by signal 15, and the new configuration was put back"):
        desk.run(*second_set(desk), units=units, **owned(desk))
    assert desk.state() == before


# Users


def test_missing_users_and_memberships_are_told_to_sysusers() -> None:
    lines = transaction.sysusers_lines(
        [{"name": "lemp-new", "comment": 'Site "new"', "home": "/srv/new"}, {"name": "root", "groups": ["root", "lemp-group"]}]
    )
    assert lines == {
        "lemp-new": ["u lemp-new - \"Site 'new'\" /srv/new /usr/sbin/nologin"],
        "root": [
            line for line in ("m root root", "m root lemp-group") if line != "m root root" or "m root root" in lines["root"]
        ],
    }


def test_python_is_not_told_of_users_that_are_there() -> None:
    assert transaction.sysusers_lines([{"name": "root"}]) == {}


# What nearly went wrong


def die_after_swap(desk: Desk, *entries: Entry, **more: Any) -> None:
    def work() -> None:
        desk.store.record = lambda *arguments: os._exit(9)  # type: ignore[method-assign]
        desk.run(*entries, **more)

    assert die_at(0, work)


def test_check_mode_leaves_the_journal_of_an_interrupted_change(desk: Desk) -> None:
    desk.run(*first_set(desk), **owned(desk))
    before = desk.state()
    die_after_swap(desk, *second_set(desk), **owned(desk))
    outcome = desk.run(desk.file("tree/main.conf", "main 3"), check_mode=True, validators=(("true",),))
    assert outcome.recovered
    assert outcome.validated == "skipped"
    desk.run(*first_set(desk), **owned(desk))
    assert desk.state() == before


def test_check_mode_leaves_no_store_and_takes_none_away(desk: Desk) -> None:
    desk.run(desk.file("a"), check_mode=True, validators=(("true",),))
    assert not os.path.exists(desk.store.root)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to be another user")
def test_a_link_that_a_user_placed_is_not_followed(desk: Desk) -> None:
    victim = desk.root / "victim"
    victim.mkdir(mode=0o700)
    (desk.root / "sub").symlink_to(victim)
    os.lchown(desk.root / "sub", 65534, 65534)
    with pytest.raises(Refused, match=r"sub is a symbolic link that belongs to a user other than root"):
        desk.run(desk.directory("sub", 0o755))
    with pytest.raises(Refused, match=r"sub is a symbolic link"):
        desk.run(desk.file("sub/file"))
    assert stat.S_IMODE(victim.stat().st_mode) == 0o700
    assert list(victim.iterdir()) == []


def test_what_lies_behind_a_link_in_a_tree_changes_with_everything_else(desk: Desk) -> None:
    elsewhere = desk.root / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "a.conf").write_text("old")
    (desk.tree / "conf.d").symlink_to(elsewhere)
    wanted = desk.file("tree/conf.d/a.conf", "new")
    with pytest.raises(Refused, match="nothing was changed"):
        desk.run(wanted, validators=(("false",),))
    desk.run(wanted, check_mode=True, validators=(("true",),))
    assert (elsewhere / "a.conf").read_text() == "old"
    desk.run(wanted, validators=(("true",),))
    assert (elsewhere / "a.conf").read_text() == "new"


def test_a_tree_takes_its_own_permissions_together_with_its_files(desk: Desk) -> None:
    desk.run(desk.directory("tree", 0o700), desk.file("tree/a.conf", "a"))
    assert stat.S_IMODE(desk.tree.stat().st_mode) == 0o700


def test_what_is_owed_to_a_unit_outlives_a_refused_run(desk: Desk, host: Host) -> None:
    more = {"units": (Unit("a.service", reload_on=(f"{desk.tree}/*",)),), **owned(desk)}
    desk.run(*first_set(desk), **more)
    die_after_swap(desk, *second_set(desk), **more)
    with pytest.raises(Refused):
        desk.run(desk.file("tree/main.conf", "bad"), validators=(("false",),), **more)
    host.calls  # noqa: B018
    outcome = desk.run(*first_set(desk), **more)
    assert outcome.changed == ["transaction:test"]
    assert host.calls == ["reload a.service"]
    assert desk.run(*first_set(desk), **more).changed == []
    assert host.calls == []


def test_a_unit_learns_of_a_user_that_a_refused_run_created(desk: Desk, host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = {"shop": ["u shop"]}
    monkeypatch.setattr(transaction, "sysusers_lines", lambda users: dict(missing))
    monkeypatch.setattr(transaction, "create_users", lambda lines: missing.clear())
    units = (Unit("a.service", reload_on=("user:*",)),)
    with pytest.raises(Refused):
        desk.run(desk.file("tree/a.conf"), units=units, validators=(("false",),))
    assert host.calls == []
    assert "user:shop" in desk.run(units=units).changed
    assert host.calls == ["reload a.service"]


def test_a_step_that_was_not_taken_does_not_stand_in_the_way_of_the_others(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.run(desk.file("one", "1"), desk.file("two", "1"))

    def swap_one(steps: Any) -> None:
        if steps and steps[0]["kind"] == "file":
            os.rename(steps[0]["new"], steps[0]["path"])
            raise OSError(errno.EPERM, "Operation not permitted", steps[1]["path"])

    def put(source: str, path: str) -> None:
        assert path.endswith("one"), "only what was taken is put back"
        put_back(source, path)

    put_back = files.put
    monkeypatch.setattr(transaction, "swap", swap_one)
    monkeypatch.setattr(files, "put", put)
    with pytest.raises(Refused, match="was put back"):
        desk.run(desk.file("one", "2"), desk.file("two", "2"))
    assert {name: text[-1] for name, text in desk.state().items() if name in ("one", "two")} == {"one": "1", "two": "1"}


def test_a_step_that_cannot_be_undone_is_told_and_tried_again(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.run(desk.file("one", "1"), desk.file("two", "1"))
    put_back = files.put

    def put(source: str, path: str) -> None:
        if path.endswith("two"):
            raise OSError(errno.EPERM, "Operation not permitted", path)
        put_back(source, path)

    with monkeypatch.context() as patch:
        patch.setattr(files, "put", put)
        patch.setattr(transaction.Transaction, "_commit", lambda *arguments: (_ for _ in ()).throw(Refused("it failed.")))
        with pytest.raises(Refused, match=r"it failed. It was put back in part only, because .*two: Operation not permitted"):
            desk.run(desk.file("one", "2"), desk.file("two", "2"))
    assert (desk.root / "one").read_text() == "1"
    assert (desk.root / "two").read_text() == "2"
    assert desk.run(desk.file("one", "1"), desk.file("two", "1")).recovered
    assert (desk.root / "two").read_text() == "1"


def test_a_wanted_file_is_not_stale_by_another_name(desk: Desk) -> None:
    (desk.root / "alias").symlink_to(desk.tree)
    for _ in range(2):
        desk.run(desk.file("alias/lemp-a.conf", "a"), owned=(f"{desk.tree}/lemp-*.conf",))
        assert (desk.tree / "lemp-a.conf").read_text() == "a"


def test_a_roll_back_tells_units_that_came_later_and_asks_nothing_of_what_was_found(desk: Desk, host: Host) -> None:
    (desk.tree / "a.conf").write_text("of somebody else")
    first = Unit("a.service", reload_on=(f"{desk.tree}/a*",), listen=("/run/absent.sock",))
    desk.run(desk.file("tree/a.conf", "a"), units=(replace(first, listen=()),))
    later = Unit("b.service", reload_on=(f"{desk.tree}/b*",))
    desk.run(desk.file("tree/a.conf", "a"), desk.file("tree/b.conf", "b"), units=(replace(first, listen=()), later))
    host.calls  # noqa: B018
    desk.apply(desk.store.request_of(2, 10))
    assert host.calls == ["reload b.service"]
    number = desk.store.record([desk.file("tree/a.conf", "found")], desk.request(units=(first,)), "found")
    assert [unit.listen for unit in desk.store.request_of(number, 10).units if unit.name == "a.service"] == [()]


def test_a_secret_that_was_found_stays_hidden_in_a_roll_back(desk: Desk) -> None:
    secret = desk.tree / "lemp-a.conf"
    secret.write_text("password=hunter2")
    secret.chmod(0o600)
    desk.run(desk.file("tree/b.conf"), owned=(f"{desk.tree}/lemp-*.conf",))
    assert next(entry for entry in desk.store.entries(1) if entry.path == str(secret)).sensitive


def test_a_unit_that_was_starting_is_not_stopped(desk: Desk, host: Host) -> None:
    host.says("activating", failing="start")
    with pytest.raises(Refused):
        desk.run(desk.file("tree/a.conf"), units=(Unit("a.service"),), timeout=0)
    assert not [call for call in host.calls if call.startswith("stop")]
