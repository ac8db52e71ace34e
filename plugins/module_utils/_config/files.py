# GNU General Public License v3.0+ (see LICENSE)
"""What the transaction does to the disk: read, stage, exchange, undo. Every change is one rename or one link."""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Callable

from .wanted import Change, Entry, Live

AT_FDCWD = -100
RENAME_EXCHANGE = 2

# Gives the SELinux label of a path that does not exist yet, or None where SELinux is off.
Label = Callable[[str, int], "str | None"]


class CannotExchange(Exception):
    """The file system does not exchange these two directories in one step."""


def encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def read(path: str) -> str:
    with open(path, "rb") as stream:
        return stream.read().decode("utf-8", "surrogateescape")


def live(entry: Entry) -> Live:
    """What is on the disk; the content of a file only where it is going to be compared."""
    try:
        status = os.lstat(entry.path)
        if stat.S_ISLNK(status.st_mode):
            if entry.kind != "directory":
                return Live("link", target=os.readlink(entry.path), uid=status.st_uid, gid=status.st_gid)
            # A directory may be reached through a link, as /var/run is.
            status = os.stat(entry.path)
    except (FileNotFoundError, NotADirectoryError):
        return Live("absent")
    found = Live("other", mode=stat.S_IMODE(status.st_mode), uid=status.st_uid, gid=status.st_gid)
    if stat.S_ISDIR(status.st_mode):
        return replace(found, kind="directory")
    if not stat.S_ISREG(status.st_mode):
        return found
    return replace(found, kind="file", content="" if entry.keep else read(entry.path))


def foreign_link(folder: str) -> str:
    """The first symbolic link on the way to a directory that belongs to neither root nor ourselves; empty where there is none.

    Who may place a link could lead us to change any directory of the host.
    """
    path = ""
    for name in folder.strip("/").split("/"):
        path = f"{path}/{name}"
        try:
            status = os.lstat(path)
        except (FileNotFoundError, NotADirectoryError):
            return ""
        if stat.S_ISLNK(status.st_mode) and status.st_uid not in (0, os.geteuid()):
            return path
    return ""


def set_attributes(path: str, mode: int, uid: int, gid: int) -> None:
    """Change owner and permissions of a file or directory; a link that appeared in its place meanwhile is not followed."""
    target = os.path.realpath(path) if os.path.isdir(path) and not foreign_link(path) else path
    handle = os.open(target, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        os.fchown(handle, uid, gid)
        os.fchmod(handle, mode)
    finally:
        os.close(handle)


def sync_directory(path: str) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_durably(path: str, content: bytes, mode: int = 0o600) -> None:
    """Write a new file so that it is whole after a power cut; the caller syncs its directory."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fchmod(stream.fileno(), mode)
        os.fsync(stream.fileno())


def replace_durably(path: str, content: bytes) -> None:
    """Replace a file of our own by a rename."""
    temporary = f"{path}.new"
    if os.path.lexists(temporary):
        os.unlink(temporary)
    write_durably(temporary, content)
    os.rename(temporary, path)
    sync_directory(os.path.dirname(path))


def copy_labels(source: str, target: str) -> None:
    """Copy access control lists, capabilities and the SELinux label."""
    try:
        names = os.listxattr(source, follow_symlinks=False)
    except OSError:
        return
    for name in names:
        try:
            os.setxattr(target, name, os.getxattr(source, name, follow_symlinks=False), follow_symlinks=False)
        except OSError as error:
            if error.errno not in (errno.ENOTSUP, errno.EPERM, errno.ENODATA, errno.EINVAL):
                raise


def stage(change: Change, path: str, owner: tuple[int | None, int | None], label: Label) -> None:
    """Make the new file or link at ``path`` with everything it shall have at its destination."""
    entry = change.entry
    if entry.kind == "link":
        os.symlink(entry.target, path)
    else:
        content = encode(entry.content)
        if entry.keep and change.live.kind == "file":
            with open(entry.path, "rb") as stream:
                content = stream.read()
        write_durably(path, content)
        # In check mode an owner may still be to be created.
        os.chown(path, *(-1 if number is None else number for number in owner))
        os.chmod(path, entry.mode)
    if change.live.kind == entry.kind:
        copy_labels(entry.path, path)
        if entry.kind == "file":
            os.chmod(path, entry.mode)
    else:
        set_label(path, label(entry.path, entry.mode))


def set_label(path: str, context: str | None) -> None:
    if context:
        os.setxattr(path, "security.selinux", context.encode() + b"\0", follow_symlinks=False)


def mounts() -> set[str]:
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as stream:
        return {line.split()[4].replace("\\040", " ") for line in stream}


def mount_of(path: str, points: Iterable[str]) -> str:
    """The mount point that a path lies under; renames and hard links do not leave it."""
    known = set(points)
    path = os.path.realpath(path)
    while path not in known and path != "/":
        path = os.path.dirname(path)
    return path


def inventory(tree: str) -> dict[str, int]:
    """Inode numbers of all files and links below a directory, by relative path."""
    return {relative: os.lstat(os.path.join(tree, relative)).st_ino for relative in _files(tree)}


def _files(tree: str, below: str = "") -> Iterator[str]:
    with os.scandir(os.path.join(tree, below)) as entries:
        for entry in entries:
            relative = os.path.join(below, entry.name)
            if entry.is_dir(follow_symlinks=False):
                yield from _files(tree, relative)
            else:
                yield relative


def mirror(source: str, target: str, by_link: bool) -> None:
    """Make ``target`` a second directory with the same content: the same files by hard links, or copies of them."""
    os.mkdir(target, 0o700)
    with os.scandir(source) as entries:
        for entry in entries:
            path = os.path.join(target, entry.name)
            if entry.is_dir(follow_symlinks=False):
                mirror(entry.path, path, by_link)
            elif by_link:
                os.link(entry.path, path, follow_symlinks=False)
            elif entry.is_symlink():
                os.symlink(os.readlink(entry.path), path)
            elif entry.is_file(follow_symlinks=False):
                shutil.copy2(entry.path, path)
                status = entry.stat()
                os.chown(path, status.st_uid, status.st_gid)
                os.chmod(path, stat.S_IMODE(status.st_mode))
    status = os.stat(source)
    os.chown(target, status.st_uid, status.st_gid)
    os.chmod(target, stat.S_IMODE(status.st_mode))
    copy_labels(source, target)


def sync_tree(path: str) -> None:
    """Make every directory of a staged tree durable; its new files are already."""
    with os.scandir(path) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                sync_tree(entry.path)
    sync_directory(path)


def exchange(first: str, second: str) -> None:
    """Let two paths change places in one step.

    :raises CannotExchange: the kernel or the file system cannot, or one of them is a mount point.
    """
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except AttributeError as error:
        raise CannotExchange("the C library has no renameat2") from error
    if rename(AT_FDCWD, os.fsencode(first), AT_FDCWD, os.fsencode(second), RENAME_EXCHANGE) != 0:
        number = ctypes.get_errno()
        if number in (errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EBUSY, errno.EOPNOTSUPP):
            raise CannotExchange(os.strerror(number))
        raise OSError(number, os.strerror(number), second)


def put(source: str, path: str) -> None:
    """Let ``path`` be the file that ``source`` is, in one step, and leave ``source`` where it is."""
    temporary = f"{path}.lemp-undo"
    if os.path.lexists(temporary):
        os.unlink(temporary)
    os.link(source, temporary, follow_symlinks=False)
    os.rename(temporary, path)
    # Two names of one file are left as they are by rename.
    if os.path.lexists(temporary):
        os.unlink(temporary)


def carry_over(retired: str, current: str, before: Mapping[str, int], ours: Iterable[str]) -> list[str]:
    """Bring along what others changed in a tree between its mirroring and its exchange.

    :param before: what :func:`inventory` said of ``retired`` when it was mirrored.
    :param ours: relative paths that the transaction itself decides about.
    :returns: the relative paths that were brought along.
    """
    after = inventory(retired)
    decided = set(ours)
    brought = [path for path, inode in after.items() if before.get(path) != inode and path not in decided]
    for relative in brought:
        target = os.path.join(current, relative)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        put(os.path.join(retired, relative), target)
    gone = [path for path in before if path not in after and path not in decided]
    for relative in gone:
        target = os.path.join(current, relative)
        if os.path.lexists(target):
            os.unlink(target)
    return sorted(brought + gone)


def remove(path: str) -> None:
    """Remove whatever is at a path of our own."""
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.unlink(path)


def _was_not_taken(step: Mapping[str, Any]) -> bool:
    """Whether what a file step was to replace is still in its place."""
    if not os.path.lexists(step["path"]):
        return False
    if not os.path.lexists(step["old"]):
        return bool(step["new"]) and os.path.lexists(step["new"])
    return os.path.samestat(os.lstat(step["path"]), os.lstat(step["old"]))


def undo(step: Mapping[str, Any]) -> None:
    """Take one step of a journal back, whether or not it was taken; can itself be repeated."""
    path = step["path"]
    if step["kind"] == "exchange":
        if os.stat(path).st_ino == step["inode"]:
            exchange(step["staged"], path)
            carry_over(step["staged"], path, step["inventory"], step["ours"])
    elif step["kind"] == "file":
        if step["old"]:
            if not _was_not_taken(step):
                put(step["old"], path)
        elif os.path.lexists(path):
            os.unlink(path)
    elif step["kind"] == "attributes":
        set_attributes(path, step["mode"], step["uid"], step["gid"])
    elif os.path.isdir(path):
        try:
            os.rmdir(path)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
