# GNU General Public License v3.0+ (see LICENSE)
"""The new set beside the live one: made whole and durable before anything live changes, then swapped in step by step."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from . import files
from .files import CannotExchange, Label
from .store import Store
from .wanted import Change, Ids, Refused, Request

# Errors that say that a directory cannot be mirrored by hard links.
NO_LINKS = (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP)


@dataclass
class Tree:
    """A directory that changes in one step: its path as asked for, where it really is, and where its successor is staged."""

    path: str
    real: str
    staged: str
    changes: list[Change]
    exchanged: bool
    found: dict[str, int]

    def relative(self, path: str) -> str:
        return path[len(self.path) + 1 :]

    def in_stage(self, path: str) -> str:
        return os.path.join(self.staged, self.relative(path))


def _lies_in(path: str, tree: str, real: str) -> bool:
    """Whether a path below a tree is really there, and not behind a link that leads out of it."""
    if not path.startswith(f"{tree}/"):
        return False
    folder = os.path.dirname(path[len(tree) + 1 :])
    return os.path.realpath(os.path.dirname(path)) == os.path.normpath(os.path.join(real, folder))


class Staging:
    """Where each change waits. ``without_exchange`` names trees that were found not to be exchangeable."""

    def __init__(
        self, request: Request, changes: Sequence[Change], store: Store, label: Label, ids: Ids, without_exchange: set[str]
    ) -> None:
        self.store = store
        self.label = label
        self.ids = ids
        self.points = files.mounts()
        self.trees = []
        self.outside = list(changes)
        for number, path in enumerate(request.trees):
            real = os.path.realpath(path)
            inside = [change for change in changes if _lies_in(change.path, path, real)]
            if not inside:
                continue
            if not os.path.isdir(path):
                raise Refused(f"{request.name}: trees names {path}, which is no directory; install what brings it first.")
            has_mount = any(point == real or point.startswith(f"{real}/") for point in self.points)
            exchanged = path not in without_exchange and not has_mount
            staged = store.staging_place(real, self.points, f"tree{number}")
            self.trees.append(Tree(path, real, staged, inside, exchanged, {}))
        self.new: dict[str, str] = {}
        self.old: dict[str, str] = {}

    def fill(self) -> None:
        """Stage everything.

        :raises OSError: the disk is full or does not let itself be written; nothing live has changed.
        """
        self.store.note_litter([tree.staged for tree in self.trees if not tree.staged.startswith(self.store.transaction)])
        for tree in self.trees:
            self._fill_tree(tree)
        inside = {change.path for tree in self.trees if tree.exchanged for change in tree.changes}
        self.outside = [change for change in self.outside if change.path not in inside]
        self._fill_outside()

    def _fill_tree(self, tree: Tree) -> None:
        tree.found = files.inventory(tree.real)
        try:
            files.mirror(tree.real, tree.staged, by_link=tree.exchanged)
        except OSError as error:
            if not tree.exchanged or error.errno not in NO_LINKS:
                raise
            tree.exchanged = False
            files.remove(tree.staged)
            files.mirror(tree.real, tree.staged, by_link=False)
        for change in tree.changes:
            path = tree.in_stage(change.path)
            if change.what in ("make", "attributes") and change.entry.kind == "directory":
                self._directory(change, path)
                continue
            if os.path.lexists(path):
                os.unlink(path)
            if change.what != "remove":
                files.stage(change, path, self.ids.of(change.entry), self.label)
        for change in self.outside:
            if change.path == tree.path:
                self._directory(change, tree.staged)
        if tree.exchanged:
            files.sync_tree(tree.staged)

    def _directory(self, change: Change, path: str) -> None:
        if not os.path.isdir(path):
            os.mkdir(path)
            files.set_label(path, self.label(change.path, change.entry.mode))
        os.chown(path, *(-1 if number is None else number for number in self.ids.of(change.entry)))
        os.chmod(path, change.entry.mode)

    def _fill_outside(self) -> None:
        listed = [change for change in self.outside if change.what in ("write", "remove")]
        places = {
            (change.path, name): self.store.staging_place(change.path, self.points, os.path.join(name, str(number)))
            for number, change in enumerate(listed)
            for name in ("new", "old")
        }
        self.store.note_litter(
            [tree.staged for tree in self.trees if not tree.staged.startswith(self.store.transaction)]
            + [place for place in places.values() if not place.startswith(self.store.transaction)]
        )
        for change in listed:
            if change.what == "write":
                self.new[change.path] = places[change.path, "new"]
                files.stage(change, self.new[change.path], self.ids.of(change.entry), self.label)
            if change.live.kind != "absent":
                self.old[change.path] = places[change.path, "old"]
                os.link(change.path, self.old[change.path], follow_symlinks=False)

    def overlays(self) -> list[tuple[str, str]]:
        """Pairs of staged and live path that show a validator the new set; new files outside of trees are not among them."""
        inside = {change.path for tree in self.trees for change in tree.changes}
        return [(tree.staged, tree.real) for tree in self.trees] + [
            (self.new[change.path], change.path)
            for change in self.outside
            if change.path in self.new and change.path not in inside and change.live.kind == change.entry.kind == "file"
        ]

    def directories(self) -> list[dict[str, Any]]:
        """Steps that make directories outside of exchanged trees."""
        return [
            {
                "kind": "directory",
                "path": change.path,
                "mode": change.entry.mode,
                "owner": self.ids.of(change.entry),
                "label": self.label(change.path, change.entry.mode),
            }
            for change in self.outside
            if change.what == "make"
        ]

    def steps(self) -> list[dict[str, Any]]:
        """The journal: what :func:`swap` does in this order and :func:`files.undo` takes back."""
        changed = [
            {
                "kind": "attributes",
                "path": change.path,
                "mode": change.live.mode,
                "uid": change.live.uid,
                "gid": change.live.gid,
                "wanted": [change.entry.mode, *self.ids.of(change.entry)],
            }
            for change in self.outside
            if change.what == "attributes"
        ]
        written = [
            {"kind": "file", "path": change.path, "new": self.new[change.path], "old": self.old.get(change.path)}
            for change in self.outside
            if change.what == "write"
        ]
        exchanged = [
            {
                "kind": "exchange",
                "path": tree.real,
                "tree": tree.path,
                "staged": tree.staged,
                "inode": os.stat(tree.staged).st_ino,
                "found": tree.found,
                "inventory": files.inventory(tree.staged),
                "ours": [tree.relative(change.path) for change in tree.changes],
            }
            for tree in self.trees
            if tree.exchanged
        ]
        removed = [
            {"kind": "file", "path": change.path, "new": None, "old": self.old[change.path]}
            for change in self.outside
            if change.what == "remove"
        ]
        return [*self.directories(), *changed, *written, *exchanged, *removed]


def swap(steps: Sequence[Mapping[str, Any]]) -> None:
    """Take every step of a journal.

    :raises CannotExchange: with the path of the tree that cannot be exchanged in one step.
    """
    for step in steps:
        path = step["path"]
        if step["kind"] == "directory":
            if os.path.isdir(path):
                continue
            os.mkdir(path)
            files.set_label(path, step["label"])
            files.set_attributes(path, step["mode"], *step["owner"])
        elif step["kind"] == "attributes":
            files.set_attributes(path, *step["wanted"])
        elif step["kind"] == "exchange":
            try:
                files.exchange(step["staged"], path)
            except CannotExchange as error:
                raise CannotExchange(step["tree"]) from error
            files.carry_over(step["staged"], path, step["found"], step["ours"])
        elif step["new"]:
            os.rename(step["new"], path)
        else:
            os.unlink(path)
