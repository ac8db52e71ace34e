"""A small configuration on a scratch directory: a tree that changes in one step, and files outside of it."""

from __future__ import annotations

import getpass
import grp
import os
from pathlib import Path
from typing import Any

from ansible_collections.lemp.stack.plugins.module_utils._config.store import Store
from ansible_collections.lemp.stack.plugins.module_utils._config.transaction import Outcome, Transaction
from ansible_collections.lemp.stack.plugins.module_utils._config.wanted import Entry, Request

ME = getpass.getuser()
MY_GROUP = grp.getgrgid(os.getgid()).gr_name


class Desk:
    """Scratch paths, and transactions over them as the module would run them."""

    def __init__(self, path: Path) -> None:
        self.root = path / "root"
        self.store = Store("test", str(path / "store"))
        self.tree = self.root / "tree"
        self.tree.mkdir(parents=True)

    def file(self, name: str, content: str = "", **more: Any) -> Entry:
        return Entry(str(self.root / name), "file", content=content, owner=ME, group=MY_GROUP, **more)

    def directory(self, name: str, mode: int = 0o755) -> Entry:
        return Entry(str(self.root / name), "directory", mode=mode, owner=ME, group=MY_GROUP)

    def link(self, name: str, target: str) -> Entry:
        return Entry(str(self.root / name), "link", target=target)

    def absent(self, name: str) -> Entry:
        return Entry(str(self.root / name), "absent")

    def request(self, *entries: Entry, **more: Any) -> Request:
        given: dict[str, Any] = {"trees": (str(self.tree),), "keep": 10, **more}
        return Request(name="test", entries=entries, **given)

    def run(self, *entries: Entry, check_mode: bool = False, **more: Any) -> Outcome:
        return self.apply(self.request(*entries, **more), check_mode)

    def apply(self, request: Request, check_mode: bool = False) -> Outcome:
        return Transaction(request, self.store, lambda path, mode: None, check_mode).run()

    def state(self) -> dict[str, str]:
        """Everything below the root: content of files, targets of links, permissions of both and of directories."""
        found = {}
        for folder, names, files in os.walk(self.root):
            for name in [*names, *files]:
                path = Path(folder) / name
                if path.is_symlink():
                    said = f"-> {os.readlink(path)}"
                elif path.is_dir():
                    said = f"{path.stat().st_mode & 0o7777:o}"
                else:
                    said = f"{path.stat().st_mode & 0o7777:o} {path.read_text()}"
                found[str(path.relative_to(self.root))] = said
        return found
