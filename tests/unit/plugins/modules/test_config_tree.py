"""Module ``config_tree``: which files it writes, removes and leaves alone."""

from __future__ import annotations

import getpass
import grp
import os
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.lemp.stack.plugins.modules import config_tree


class Host:
    """Stands for the AnsibleModule: check mode, and a rename."""

    def __init__(self, check_mode: bool = False) -> None:
        self.check_mode = check_mode

    def atomic_move(self, source: str, target: str) -> None:
        os.replace(source, target)


def entry(path: Path, content: str = "new", **changes: Any) -> dict[str, Any]:
    group = grp.getgrgid(os.getgid()).gr_name
    given = {"dest": str(path), "path": str(path), "content": content, "mode": "0640", "force": True, "sensitive": False}
    return {**given, "owner": getpass.getuser(), "group": group, **changes}


def test_a_missing_file_is_written_with_its_permissions_and_shown(tmp_path: Path) -> None:
    target = tmp_path / "a.conf"
    changed, diff = config_tree.apply_file(Host(), entry(target))
    assert changed
    assert diff == {"before_header": str(target), "after_header": str(target), "before": "", "after": "new"}
    assert target.read_text() == "new"
    assert target.stat().st_mode & 0o777 == 0o640
    assert list(tmp_path.iterdir()) == [target]


def test_a_file_as_wanted_is_not_touched(tmp_path: Path) -> None:
    target = tmp_path / "a.conf"
    config_tree.apply_file(Host(), entry(target))
    before = target.stat().st_mtime_ns
    assert config_tree.apply_file(Host(), entry(target)) == (False, None)
    assert target.stat().st_mtime_ns == before


def test_check_mode_tells_the_same_and_writes_nothing(tmp_path: Path) -> None:
    target = tmp_path / "absent" / "a.conf"
    changed, diff = config_tree.apply_file(Host(check_mode=True), entry(target))
    assert changed
    assert diff is not None
    assert not target.parent.exists()


def test_permissions_alone_are_mended(tmp_path: Path) -> None:
    target = tmp_path / "a.conf"
    target.write_text("new")
    target.chmod(0o666)
    assert config_tree.apply_file(Host(), entry(target)) == (True, None)
    assert target.stat().st_mode & 0o777 == 0o640


def test_without_force_a_file_keeps_its_content(tmp_path: Path) -> None:
    target = tmp_path / "salts"
    config_tree.apply_file(Host(), entry(target, "first", force=False))
    assert config_tree.apply_file(Host(), entry(target, "second", force=False)) == (False, None)
    assert target.read_text() == "first"


def test_a_sensitive_file_changes_without_a_difference(tmp_path: Path) -> None:
    assert config_tree.apply_file(Host(), entry(tmp_path / "secret", sensitive=True)) == (True, None)


def test_a_user_who_is_still_to_be_created_counts_as_a_change(tmp_path: Path) -> None:
    target = tmp_path / "a.conf"
    target.write_text("new")
    assert config_tree.attributes_differ(entry(target, owner="nobody-yet"), str(target))


@pytest.mark.parametrize("check_mode", [False, True])
def test_directories_are_made_once(tmp_path: Path, check_mode: bool) -> None:
    folder = tmp_path / "a" / "b"
    wanted = entry(folder, mode="0750")
    assert config_tree.apply_directory(Host(check_mode), wanted)
    assert folder.is_dir() is not check_mode
    assert config_tree.apply_directory(Host(check_mode), wanted) is check_mode


def test_only_owned_files_that_are_not_wanted_are_stale(tmp_path: Path) -> None:
    for name in ("lemp-old.conf", "lemp-kept.conf", "foreign.conf"):
        (tmp_path / name).write_text("")
    (tmp_path / "lemp-folder.conf").mkdir()
    kept = {"dest": str(tmp_path / "lemp-kept.conf")}
    assert config_tree.stale([str(tmp_path / "lemp-*.conf")], [kept]) == [str(tmp_path / "lemp-old.conf")]
