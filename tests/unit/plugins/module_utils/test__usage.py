"""What services take: workers by their mappings, units by their groups, and what PHP-FPM answers through its own protocol."""

from __future__ import annotations

import json
import os
import shutil
import socket
import struct
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.lemp.stack.plugins.module_utils import _usage

KIB, MIB = 2**10, 2**20
V2 = {
    "/proc/self/mountinfo": "25 22 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
    "/proc/1/cgroup": "0::/init.scope\n",
    "/sys/fs/cgroup/cgroup.controllers": "cpu memory\n",
}
V1 = {
    "/proc/self/mountinfo": "30 25 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n",
    "/proc/1/cgroup": "4:memory:/docker/abc/init.scope\n",
}
SMAPS = """\
55d000000000-55d000100000 r-xp 00000000 08:01 42 /usr/sbin/php-fpm8.4
Rss:                 400 kB
Pss:                 100 kB
Pss_Dirty:            90 kB
55d000200000-55d000300000 rw-p 00000000 00:00 0
Pss:                3000 kB
55771a800000-557722800000 rw-s 00000000 00:01 115699                     /dev/zero (deleted)
Pss:                4900 kB
557722800000-557726800000 r-xs 08000000 00:01 115699                     [anon_shmem:php]
Pss:                 700 kB
7f0ff8c7a000-7f0ff8c7d000 rw-s 00000000 00:01 115700
Pss:                  50 kB
7f0ff8c80000-7f0ff8c90000 r--s 00000000 08:01 77                         /usr/share/zoneinfo/a\u2028b 1
Pss:                   8 kB
VmFlags: rd mr
"""
STATUS = {"accepted conn": 9, "max active processes": 4, "max children reached": 1, "max listen queue": 0}
OPCACHE = {
    "memory_usage": {"used_memory": 40 * MIB, "free_memory": 20 * MIB, "wasted_memory": MIB},
    "opcache_statistics": {"num_cached_scripts": 400, "max_cached_keys": 3907, "oom_restarts": 0, "hash_restarts": 0},
}


@pytest.fixture(name="root")
def short_root() -> Iterator[Path]:
    """A directory of few characters: the path of a socket has 108 at most."""
    path = Path(tempfile.mkdtemp(prefix="u"))
    yield path
    shutil.rmtree(path)


def write(root: Path, files: Mapping[str, str]) -> str:
    for name, text in files.items():
        path = root / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return str(root)


def says(*blocks: Mapping[str, str]) -> Callable[[Sequence[str]], str | None]:
    text = "\n\n".join("\n".join(f"{key}={value}" for key, value in block.items()) for block in blocks)
    return lambda command: text + "\n" if command[0] == "systemctl" else None


def shown(unit: str, **properties: str) -> dict[str, str]:
    return {"Id": unit, "LoadState": "loaded", "ControlGroup": f"/system.slice/{unit}", "MemoryMax": "infinity", **properties}


class Fpm:
    """Listens like a pool, and answers each request with what ``answers`` says for its script, or with its own file."""

    def __init__(self, root: Path, pool: str) -> None:
        self.root = root
        self.asked: list[dict[str, str]] = []
        self.modes: list[int] = []
        self.answers: dict[str, Any] = {}
        folder = root / "run/php-fpm"
        folder.mkdir(parents=True, exist_ok=True)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(folder / f"{pool}.sock"))
        self.listener.listen()
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self) -> None:
        while True:
            connection, _ = self.listener.accept()
            with connection:
                params = self.read(connection)
                if not params:
                    return
                self.asked.append(params)
                script = self.root / params["SCRIPT_FILENAME"].lstrip("/")
                if script.is_file():
                    assert script.read_text() == _usage.SCRIPT
                    self.modes.append(script.stat().st_mode & 0o777)
                answer = self.answers.get("script" if script.is_file() else params["SCRIPT_NAME"])
                text = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                body = b"Content-Type: application/json\r\n\r\n" + text
                # In two records, padded, with a warning on the error stream between them.
                for kind, content in ((6, body[:10]), (7, b"PHP Warning"), (6, body[10:]), (3, bytes(8))):
                    connection.sendall(struct.pack("!BBHHBx", 1, kind, 1, len(content), 3) + content + bytes(3))

    @staticmethod
    def read(connection: socket.socket) -> dict[str, str]:
        stream, params = connection.makefile("rb"), {}
        while len(header := stream.read(8)) == 8:
            kind, length = struct.unpack("!xBxxHxx", header)
            content = stream.read(length)
            while kind == 4 and content:
                name, value = (size & 2**31 - 1 for size in struct.unpack("!II", content[:8]))
                params[content[8 : 8 + name].decode()] = content[8 + name : 8 + name + value].decode()
                content = content[8 + name + value :]
            if kind == 5:
                break
        return params

    def close(self) -> None:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(self.listener.getsockname())
        self.thread.join()
        self.listener.close()


@pytest.fixture(name="fpm")
def pool_that_listens(root: Path) -> Iterator[Fpm]:
    fpm = Fpm(root, "shop")
    fpm.answers = {"/fpm_status": STATUS, "script": OPCACHE}
    yield fpm
    fpm.close()


def test_a_worker_is_charged_for_all_but_the_memory_that_workers_share() -> None:
    assert _usage.worker_bytes(SMAPS) == (100 + 3000 + 8) * KIB


@pytest.mark.parametrize(
    "path", ["/dev/zero (deleted)", "/anon_hugepage (deleted)", "/SYSV00000000 (deleted)", "[anon_shmem:x]", ""]
)
@pytest.mark.parametrize(("permissions", "counted"), [("rw-s", 0), ("rw-p", 5 * KIB)])
def test_memory_without_a_file_is_opcaches_only_where_it_is_shared(path: str, permissions: str, counted: int) -> None:
    assert _usage.worker_bytes(f"7f00-7f01 {permissions} 00000000 00:01 1 {path}\nPss: 5 kB\n") == counted


@pytest.mark.parametrize(
    ("sizes", "found"),
    [
        ([], None),
        ([7], {"median": 7, "p95": 7, "max": 7}),
        ([2, 1], {"median": 1, "p95": 2, "max": 2}),
        (list(range(1, 101)), {"median": 50, "p95": 95, "max": 100}),
    ],
)
def test_statistics_are_sizes_that_were_seen(sizes: list[int], found: dict[str, int] | None) -> None:
    assert _usage.statistics(sizes) == found


MASTER_FILES = {
    "/proc/3/cmdline": "php-fpm: master process (/etc/php-fpm.conf)",
    "/proc/3/status": "Name: php\nPPid:\t1\nUid:\t0\t0\t0\t0\n",
}


def test_workers_are_told_by_their_title_and_their_master(root: Path) -> None:
    titles = {
        "7": ("php-fpm: pool shop\0\0\0", 3),
        "9": ("grep\0php-fpm: pool shop", 3),
        "10": ("php-fpm: pool forged", 1),
        "11": ("php-fpm: master process (forged)", 1),
        "12": ("php-fpm: pool forged", 11),
    }
    write(root, MASTER_FILES)
    write(root, {f"/proc/{pid}/cmdline": title for pid, (title, _) in titles.items()})
    write(root, {f"/proc/{pid}/status": f"PPid:\t{of}\nUid:\t33\t33\t33\t33\n" for pid, (_, of) in titles.items()})
    assert list(_usage.find_workers(str(root))) == [("shop", 7)]


@pytest.mark.parametrize(
    ("files", "group", "stat"),
    [
        (V2, "/system.slice/nginx.service", "anon 3\nfile 90\nshmem 4\n"),
        (V1, "/docker/abc/system.slice/nginx.service", "rss 1\nshmem 1\ntotal_rss 3\ntotal_shmem 4\n"),
    ],
)
def test_a_unit_is_measured_without_its_files(root: Path, files: Mapping[str, str], group: str, stat: str) -> None:
    mount = "/sys/fs/cgroup/memory" if files is V1 else "/sys/fs/cgroup"
    path = write(root, {**files, f"{mount}{group}/memory.stat": stat})
    units = _usage.units_of(path, says(shown("nginx.service", ControlGroup=group, MemoryMax="4096")))
    _usage.look_at_unit(path, units["nginx.service"])
    assert {key: units["nginx.service"][key] for key in _usage.UNIT_KEYS} == {
        "working_bytes": 7,
        "peak_working_bytes": 7,
        "memory_max_bytes": 4096,
    }


def test_a_group_is_found_where_only_a_part_of_the_hierarchy_is_mounted(root: Path) -> None:
    mounted = "30 25 0:28 /docker/abc /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
    stat = {"/sys/fs/cgroup/memory/system.slice/nginx.service/memory.stat": "total_rss 3\ntotal_shmem 4\n"}
    path = write(root, {**V1, "/proc/self/mountinfo": mounted, **stat})
    units = _usage.units_of(path, says(shown("nginx.service", ControlGroup="/docker/abc/system.slice/nginx.service")))
    _usage.look_at_unit(path, units["nginx.service"])
    assert units["nginx.service"]["working_bytes"] == 7


def test_units_that_do_not_run_are_left_out(root: Path) -> None:
    blocks = (shown("redis-server.service", LoadState="not-found"), shown("postgresql.service", ControlGroup=""))
    assert _usage.units_of(write(root, V2), says(*blocks)) == {}
    assert _usage.units_of(write(root, V2), lambda _command: None) == {}


def test_the_peak_stays_when_a_unit_shrinks_or_stops(root: Path) -> None:
    stat = "/sys/fs/cgroup/system.slice/nginx.service/memory.stat"
    path = write(root, {**V2, stat: "anon 9\nshmem 0\n"})
    unit = _usage.units_of(path, says(shown("nginx.service")))["nginx.service"]
    for text, working in (("anon 9\nshmem 0\n", 9), ("anon 5\nshmem 0\n", 5), ("", None)):
        write(root, {stat: text})
        _usage.look_at_unit(path, unit)
        assert (unit["working_bytes"], unit["peak_working_bytes"]) == (working, 9)


def test_a_pool_tells_its_status(root: Path, fpm: Fpm) -> None:
    assert _usage.pool_status(str(root), "shop") == {
        "accepted_connections": 9,
        "max_active_processes": 4,
        "max_children_reached": 1,
        "max_listen_queue": 0,
    }
    assert (fpm.asked[0]["QUERY_STRING"], fpm.asked[0]["REQUEST_METHOD"]) == ("json", "GET")


@pytest.mark.parametrize(
    "answer", [b"File not found.\n", b"", [], None, {}, {**STATUS, "accepted conn": "9"}, {**STATUS, "accepted conn": -1}]
)
def test_an_answer_that_makes_no_sense_is_none(root: Path, fpm: Fpm, answer: Any) -> None:
    fpm.answers["/fpm_status"] = answer
    assert _usage.pool_status(str(root), "shop") is None


def test_a_pool_that_does_not_listen_has_no_status(root: Path) -> None:
    assert _usage.pool_status(str(root), "shop") is None


def test_a_pool_that_never_answers_is_given_up(root: Path) -> None:
    path = str(root / "a.sock")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        with pytest.raises(OSError, match="timed out"):
            _usage.fastcgi(path, {}, 0.05)


def test_opcache_is_asked_by_a_script_of_the_pools_user_that_goes_again(root: Path, fpm: Fpm) -> None:
    folder = root / "var/lib/php-fpm/shop/tmp"
    folder.mkdir(parents=True)
    assert _usage.opcache_status(str(root), ["shop"]) == {
        "used_bytes": 40 * MIB,
        "free_bytes": 20 * MIB,
        "wasted_bytes": MIB,
        "cached_scripts": 400,
        "max_cached_keys": 3907,
        "oom_restarts": 0,
        "hash_restarts": 0,
    }
    assert fpm.modes == [0o600]
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("answer", [False, b"PHP Fatal error", {"memory_usage": 7}, {**OPCACHE, "opcache_statistics": None}])
def test_an_opcache_that_is_off_is_none_and_the_script_goes_again(root: Path, fpm: Fpm, answer: Any) -> None:
    folder = root / "var/lib/php-fpm/shop/tmp"
    folder.mkdir(parents=True)
    fpm.answers["script"] = answer
    assert _usage.opcache_status(str(root), ["shop"]) is None
    assert list(folder.iterdir()) == []


def test_the_script_goes_also_after_an_error(tmp_path: Path) -> None:
    def fail() -> None:
        with _usage.temporary_script(str(tmp_path)) as name:
            assert (tmp_path / name).is_file()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_leads_elsewhere_gets_no_script(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "tmp").symlink_to("elsewhere")
    with pytest.raises(OSError, match="tmp"), _usage.temporary_script(str(tmp_path / "tmp")):
        pass


def test_one_pool_speaks_for_each_master() -> None:
    pools = {name: {"status": {}} if name == "mute" else {"status": STATUS} for name in ("blog", "mute", "shop", "wiki")}
    assert _usage.spokesmen(pools, {"blog": 1, "shop": 1, "wiki": 2, "mute": 3}) == ["blog", "wiki"]
    assert _usage.spokesmen(pools, {}) == ["blog"]


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("7\n21\n", {"max_used_connections": 7, "max_connections": 21}),
        (None, None),
        ("", None),
        ("7\n", None),
        ("NULL\n21\n", None),
    ],
)
def test_connections_of_mariadb(said: str | None, found: dict[str, int] | None) -> None:
    assert _usage.mariadb_connections(lambda _command: said) == found


def test_a_command_that_fails_or_is_missing_says_nothing() -> None:
    assert _usage.run_command(["true"]) == ""
    assert _usage.run_command(["false"]) is None
    assert _usage.run_command(["/nonexistent"]) is None


def test_the_most_of_all_looks_counts(root: Path, fpm: Fpm) -> None:
    (root / "var/lib/php-fpm/shop/tmp").mkdir(parents=True)
    stat = "/sys/fs/cgroup/system.slice/nginx.service/memory.stat"
    title = "php-fpm: pool shop\0"
    looks = iter(["7f00-7f01 rw-p 0 0 0\nPss: 2048 kB\n", "7f00-7f01 rw-p 0 0 0\nPss: 9 kB\n"])

    def pause(seconds: float) -> None:
        assert seconds == 3
        fpm.answers["/fpm_status"] = {**STATUS, "accepted conn": 30}
        write(root, {"/proc/7/smaps": next(looks), "/proc/8/smaps": "", stat: "anon 2\nshmem 0\n"})

    write(
        root,
        {
            **V2,
            **MASTER_FILES,
            "/proc/8/status": "PPid:\t3\n",
            stat: "anon 5\nshmem 1\n",
            "/proc/7/cmdline": title,
            "/proc/7/smaps": "7f00-7f01 rw-p 0 0 0\nPss: 1024 kB\n",
            "/proc/7/status": "Name: php\nPPid:\t3\n",
            "/proc/8/cmdline": title,
            "/proc/8/smaps": "7f00-7f01 rw-p 0 0 0\nPss: 512 kB\n",
        },
    )
    usage = _usage.measure(str(root), 3, 3, says(shown("nginx.service")), pause)
    shop = usage["php_fpm"]["pools"]["shop"]
    assert (shop["workers"], shop["requests"]) == (2, 20)
    assert shop["worker_bytes"] == {"median": 512 * KIB, "p95": 2 * MIB, "max": 2 * MIB}
    assert usage["php_fpm"]["opcache"]["cached_scripts"] == 400
    assert usage["units"] == {"nginx.service": {"working_bytes": 2, "peak_working_bytes": 6, "memory_max_bytes": None}}
    assert usage["mariadb"] is None


def test_a_host_without_anything_is_measured(root: Path) -> None:
    os.mkdir(root / "proc")
    assert _usage.measure(str(root), 1, 0, lambda _command: None) == {
        "php_fpm": {"pools": {}, "opcache": None},
        "units": {},
        "mariadb": None,
    }
