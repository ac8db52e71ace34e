"""Limits of control groups: which mount, which group, and which of the limits on the way up."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from math import ceil
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.lemp.stack.plugins.module_utils._capacity import cgroups, host
from ansible_collections.lemp.stack.plugins.module_utils._capacity.files import Malformed

Tree = Callable[[Mapping[str, str]], str]
MIB = 2**20
MOST = 8192 * MIB
# What version 1 says where there is no limit: the largest number of pages, in bytes.
PAGE_COUNTER_MAXIMUM = "9223372036854771712\n"
V1 = "/sys/fs/cgroup"
V2 = "/sys/fs/cgroup"
VECTORS = json.loads((Path(__file__).parent / "vectors.json").read_text())


def v1(group: str, mount_root: str = "/", files: Mapping[str, str] | None = None) -> dict[str, str]:
    """A host with version 1, and files by their path below ``/sys/fs/cgroup``."""
    names = ("memory", "cpu,cpuacct", "cpuset")
    lines = [
        f"{30 + n} 25 0:{30 + n} {mount_root} {V1}/{name} rw,nosuid - cgroup cgroup rw,{name}" for n, name in enumerate(names)
    ]
    return {
        "/proc/self/mountinfo": "".join(f"{line}\n" for line in lines),
        "/proc/1/cgroup": "".join(f"{n}:{name}:{group}\n" for n, name in enumerate(names, 1)) + f"0::{group}\n",
        **{f"{V1}/{name}": text for name, text in (files or {}).items()},
    }


def v2(group: str, mount_root: str = "/", files: Mapping[str, str] | None = None) -> dict[str, str]:
    """A host with version 2."""
    return {
        "/proc/self/mountinfo": (
            "22 1 0:21 / / rw - ext4 /dev/sda1 rw\n"
            f"25 22 0:26 {mount_root} {V2} rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
        ),
        "/proc/1/cgroup": f"0::{group}\n",
        f"{V2}/cgroup.controllers": "cpuset cpu io memory pids\n",
        **{f"{V2}/{name}": text for name, text in (files or {}).items()},
    }


def mib(size: int) -> str:
    return f"{size * MIB}\n"


def memory_limit(root: str) -> tuple[int | None, str | None]:
    return cgroups.memory_limit(root, MOST)


# Memory


@pytest.mark.parametrize(
    ("files", "limit", "source"),
    [
        pytest.param(
            v1(
                "/docker/1",
                files={"memory/memory.limit_in_bytes": PAGE_COUNTER_MAXIMUM, "memory/docker/1/memory.limit_in_bytes": mib(512)},
            ),
            512,
            f"{V1}/memory/docker/1/memory.limit_in_bytes",
            id="version 1 in the host's namespace",
        ),
        pytest.param(
            v1("/docker/1/init.scope", "/docker/1", {"memory/memory.limit_in_bytes": mib(512)}),
            512,
            f"{V1}/memory/memory.limit_in_bytes",
            id="version 1, only the container's part mounted",
        ),
        pytest.param(
            v1("/", "/", {"memory/memory.limit_in_bytes": mib(300)}),
            300,
            f"{V1}/memory/memory.limit_in_bytes",
            id="version 1 in a private namespace",
        ),
        pytest.param(
            v2("/docker/1/init.scope", files={"docker/1/memory.max": mib(512), "docker/memory.max": "max\n"}),
            512,
            f"{V2}/docker/1/memory.max",
            id="version 2 in the host's namespace",
        ),
        pytest.param(
            v2("/init.scope", files={"memory.max": mib(700)}), 700, f"{V2}/memory.max", id="version 2 in a private namespace"
        ),
        pytest.param(
            v2("/a/b/init.scope", files={"a/memory.max": mib(256), "a/b/memory.max": mib(512)}),
            256,
            f"{V2}/a/memory.max",
            id="a group above is tighter",
        ),
        pytest.param(
            v2("/a/init.scope", files={"a/memory.max": mib(512), "a/system.slice/memory.max": mib(256)}),
            256,
            f"{V2}/a/system.slice/memory.max",
            id="the slice of the services is tighter",
        ),
        pytest.param(
            v2("/a/init.scope", files={"a/memory.max": mib(512), "a/system.slice/memory.max": mib(512)}),
            512,
            f"{V2}/a/memory.max",
            id="of equal limits the outermost is named",
        ),
        pytest.param(
            v1(
                "/a",
                files={
                    "memory/a/memory.stat": f"cache 1\nhierarchical_memory_limit {mib(128)}",
                    "memory/a/memory.limit_in_bytes": mib(512),
                },
            ),
            128,
            f"{V1}/memory/a/memory.stat",
            id="the hierarchical limit of version 1 counts a group that cannot be seen",
        ),
        pytest.param(
            v1(
                "/a",
                files={
                    "memory/a/memory.stat": f"hierarchical_memory_limit {mib(512)}",
                    "memory/a/memory.limit_in_bytes": mib(512),
                },
            ),
            512,
            f"{V1}/memory/a/memory.limit_in_bytes",
            id="the file that can be written is named",
        ),
    ],
)
def test_the_tightest_limit_on_the_way_up_is_found(tree: Tree, files: Mapping[str, str], limit: int, source: str) -> None:
    assert memory_limit(tree(files)) == (limit * MIB, source)


@pytest.mark.parametrize(
    "files",
    [
        pytest.param({}, id="no files at all"),
        pytest.param(v2("/init.scope"), id="no file of limits, as at the root of a real host"),
        pytest.param(v2("/a", files={"memory.max": "max\n", "a/memory.max": "max"}), id="max"),
        pytest.param(v1("/", files={"memory/memory.limit_in_bytes": PAGE_COUNTER_MAXIMUM}), id="the page counter's maximum"),
        pytest.param(
            v1("/", files={"memory/memory.stat": f"hierarchical_memory_limit {PAGE_COUNTER_MAXIMUM}"}), id="that in memory.stat"
        ),
        pytest.param(v2("/", files={"memory.max": f"{MOST}\n"}), id="exactly MemTotal"),
        pytest.param(v2("/", files={"memory.max": f"{2**64 - 1}\n"}), id="more than a shell can count"),
        pytest.param(v1("/", files={"memory/memory.limit_in_bytes": "-1\n"}), id="minus one"),
    ],
)
def test_what_is_no_limit_is_none(tree: Tree, files: Mapping[str, str]) -> None:
    assert memory_limit(tree(files)) == (None, None)


def test_a_hybrid_host_is_read_by_its_version_1_mount(tree: Tree) -> None:
    files = v1("/docker/1", files={"memory/docker/1/memory.limit_in_bytes": mib(512)})
    # The unified hierarchy has no controllers; a limit there can only be a trap.
    files["/proc/self/mountinfo"] = f"40 25 0:40 / {V1}/unified rw - cgroup2 cgroup2 rw\n" + files["/proc/self/mountinfo"]
    files |= {f"{V1}/unified/cgroup.controllers": "\n", f"{V1}/unified/docker/1/memory.max": mib(1)}
    assert memory_limit(tree(files))[0] == 512 * MIB


def test_the_group_of_a_private_namespace_is_found_below_a_mount_of_the_host(tree: Tree) -> None:
    """``docker run --cgroupns private -v /sys/fs/cgroup:/sys/fs/cgroup``: nothing but process 1 tells which group it is."""
    files = v1(
        "/",
        "/../..",
        {
            "memory/docker/other/cgroup.procs": "11\n12\n",
            "memory/docker/other/memory.limit_in_bytes": mib(64),
            "memory/docker/this/cgroup.procs": "1\n17\n",
            "memory/docker/this/memory.limit_in_bytes": mib(512),
        },
    )
    assert memory_limit(tree(files)) == (512 * MIB, f"{V1}/memory/docker/this/memory.limit_in_bytes")


def test_a_first_process_that_left_its_namespace_is_followed(tree: Tree) -> None:
    files = v1("/../../init.scope", "/../..", {"memory/system.slice/memory.limit_in_bytes": mib(512)})
    assert memory_limit(tree(files))[0] == 512 * MIB


@pytest.mark.parametrize(("group", "mount_root"), [("/../other", "/"), ("/elsewhere", "/docker/1"), ("/", "/../..")])
def test_a_group_that_is_not_seen_leaves_the_mount_itself(tree: Tree, group: str, mount_root: str) -> None:
    assert memory_limit(tree(v1(group, mount_root, {"memory/memory.limit_in_bytes": mib(512)})))[0] == 512 * MIB


def test_a_group_with_a_similar_name_is_not_below_the_mount(tree: Tree) -> None:
    files = v1("/docker/12", "/docker/1", {"memory/2/memory.limit_in_bytes": mib(1), "memory/memory.limit_in_bytes": mib(2)})
    assert memory_limit(tree(files))[0] == 2 * MIB


def two_mounts(first: str, second: str, second_root: str = "/workload") -> dict[str, str]:
    line = "{} 30 0:37 {} {}/sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
    return {
        "/proc/self/mountinfo": line.format(41, "/workload", "/run/rootfs") + line.format(42, second_root, ""),
        "/proc/1/cgroup": "1:memory:/workload\n",
        "/run/rootfs/sys/fs/cgroup/memory/memory.limit_in_bytes": first,
        "/sys/fs/cgroup/memory/memory.limit_in_bytes": second,
    }


def test_mounts_that_contradict_each_other_are_refused(tree: Tree) -> None:
    with pytest.raises(Malformed, match=r"rootfs.* limits memory to 1024 bytes, but /sys/fs/.* to 2048"):
        memory_limit(tree(two_mounts("1024", "2048")))


@pytest.mark.parametrize(
    "files", [two_mounts("1024", "1024"), two_mounts("1024", PAGE_COUNTER_MAXIMUM), two_mounts("1024", "9", "/other")]
)
def test_another_mount_that_agrees_or_does_not_show_the_group_does_no_harm(tree: Tree, files: Mapping[str, str]) -> None:
    assert memory_limit(tree(files))[0] == 1024


def test_blanks_in_the_name_of_a_mount_are_understood(tree: Tree) -> None:
    files = two_mounts("1024", "1024")
    files["/proc/self/mountinfo"] = "41 30 0:37 /workload /my\\040mount rw - cgroup cgroup rw,memory\n"
    assert memory_limit(tree({**files, "/my mount/memory.limit_in_bytes": "77"}))[0] == 77


def test_lines_of_mountinfo_that_are_cut_off_are_skipped(tree: Tree) -> None:
    files = v2("/", files={"memory.max": "4096"})
    files["/proc/self/mountinfo"] += "1 2\n\n25 22 0:26 / /x rw -\n25 22 0:26 / /x rw - cgroup2\n"
    assert memory_limit(tree(files))[0] == 4096


@pytest.mark.parametrize("text", ["invalid", "", "--5", "1 2", "1e9", "٣", "9" * 5000])
@pytest.mark.parametrize("version", [1, 2])
def test_a_limit_that_is_no_number_names_its_file(tree: Tree, version: int, text: str) -> None:
    if version == 1:
        files, name = v1("/", files={"memory/memory.limit_in_bytes": text}), "memory/memory.limit_in_bytes"
    else:
        files, name = v2("/", files={"memory.max": text}), "memory.max"
    with pytest.raises(Malformed, match=f"^{V1}/{name} contains "):
        memory_limit(tree(files))


def test_a_hierarchical_limit_that_is_no_number_names_its_file(tree: Tree) -> None:
    with pytest.raises(Malformed, match=r"/memory.stat contains 'hierarchical_memory_limit lots'"):
        memory_limit(tree(v1("/", files={"memory/memory.stat": "hierarchical_memory_limit lots\n"})))


def test_a_list_of_groups_that_is_none_names_its_file(tree: Tree) -> None:
    with pytest.raises(Malformed, match=r"^/proc/1/cgroup contains 'nonsense'"):
        memory_limit(tree({**v2("/"), "/proc/1/cgroup": "nonsense\n"}))


def test_the_list_of_groups_that_was_read_is_the_one_named(tree: Tree) -> None:
    files = {**v2("/"), "/proc/self/cgroup": "nonsense\n"}
    del files["/proc/1/cgroup"]
    with pytest.raises(Malformed, match=r"^/proc/self/cgroup contains 'nonsense'"):
        memory_limit(tree(files))


def test_groups_of_the_first_process_outrank_the_own_ones(tree: Tree) -> None:
    files = v2("/a", files={"a/memory.max": mib(512), "ssh/memory.max": mib(1)})
    assert memory_limit(tree({**files, "/proc/self/cgroup": "0::/ssh\n"}))[0] == 512 * MIB


def test_the_own_groups_are_read_where_those_of_the_first_process_are_hidden(tree: Tree) -> None:
    files = v2("/a", files={"a/memory.max": mib(512)})
    del files["/proc/1/cgroup"]
    assert memory_limit(tree({**files, "/proc/self/cgroup": "0::/a\n"}))[0] == 512 * MIB


TABLE = "#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpu\t3\t40\t1\nmemory\t0\t60\t{}\n"


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        pytest.param({"/proc/cgroups": TABLE.format(0)}, False, id="cgroup_disable=memory, as Raspberry Pi OS boots"),
        pytest.param(
            {**v2("/"), f"{V2}/cgroup.controllers": "cpu pids", "/proc/cgroups": TABLE.format(0)}, False, id="version 2 without"
        ),
        pytest.param({"/proc/cgroups": TABLE.format(1)}, True, id="enabled, but not mounted yet"),
        pytest.param(
            {**v2("/"), f"{V2}/cgroup.controllers": "cpu pids", "/proc/cgroups": TABLE.format(1)},
            False,
            id="enabled, but not delegated to this container",
        ),
        pytest.param(v2("/"), True, id="version 2, whose kernels may list nothing in /proc/cgroups"),
        pytest.param(v1("/"), True, id="version 1"),
        pytest.param({}, False, id="nothing at all"),
    ],
)
def test_whether_memory_can_be_limited_is_told(tree: Tree, files: Mapping[str, str], expected: bool) -> None:
    assert cgroups.has_memory_controller(tree(files)) is expected


# CPUs


@pytest.mark.parametrize(
    ("text", "quota"),
    [
        ("max 100000", None),
        ("max", None),
        ("250000 100000", 2.5),
        ("50000 100000", 0.5),
        ("500000", 5.0),
        ("1000 200000", 0.005),
    ],
)
def test_a_quota_keeps_its_fraction(text: str, quota: float | None) -> None:
    assert cgroups.parse_cpu_max(text) == quota


@pytest.mark.parametrize(
    "text", ["", "asdf 100000", "100000 asdf", "1 2 3", "100000 0", "0 100000", "-1 100000", "1.5", "max max", "100000 max"]
)
def test_a_quota_that_is_none_names_its_file(tree: Tree, text: str) -> None:
    with pytest.raises(Malformed, match=r"^/sys/fs/cgroup/a/cpu.max contains "):
        cgroups.cpu_quota(tree(v2("/a", files={"a/cpu.max": text})))


@pytest.mark.parametrize(
    ("files", "quota", "source"),
    [
        pytest.param(v2("/"), None, None, id="none"),
        pytest.param(
            v2(
                "/a/init.scope",
                files={"cpu.max": "max 100000", "a/cpu.max": "150000 100000", "a/system.slice/cpu.max": "max 100000"},
            ),
            1.5,
            f"{V2}/a/cpu.max",
            id="version 2",
        ),
        pytest.param(
            v2("/a/b", files={"a/cpu.max": "50000 100000", "a/b/cpu.max": "100000 100000"}),
            0.5,
            f"{V2}/a/cpu.max",
            id="a group above is tighter",
        ),
        pytest.param(
            v1("/a", files={"cpu,cpuacct/a/cpu.cfs_quota_us": "50000", "cpu,cpuacct/a/cpu.cfs_period_us": "100000"}),
            0.5,
            f"{V1}/cpu,cpuacct/a/cpu.cfs_quota_us",
            id="version 1, together with cpuacct",
        ),
        pytest.param(
            v1("/a", files={"cpu,cpuacct/a/cpu.cfs_quota_us": "300000"}),
            3.0,
            f"{V1}/cpu,cpuacct/a/cpu.cfs_quota_us",
            id="version 1 without a period",
        ),
        pytest.param(v1("/a", files={"cpu,cpuacct/a/cpu.cfs_quota_us": "-1"}), None, None, id="version 1 without a quota"),
    ],
)
def test_the_tightest_quota_on_the_way_up_is_found(
    tree: Tree, files: Mapping[str, str], quota: float | None, source: str | None
) -> None:
    assert cgroups.cpu_quota(tree(files)) == (quota, source)


@pytest.mark.parametrize(("text", "count"), [("0", 1), ("2", 1), ("0-1,4", 3), ("0-7", 8), ("0-3,8-11,15", 9), ("0, 2-3", 3)])
def test_every_part_of_a_list_of_cpus_is_counted(text: str, count: int) -> None:
    assert cgroups.parse_cpu_list(text) == count


@pytest.mark.parametrize("text", ["", "a", "1-", "-1", "3-1", "0,,1", "0-1-2", "0-1:2"])
def test_a_list_of_cpus_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(Malformed, match=r"^cpuset\.cpus contains .* no list of CPUs"):
        cgroups.parse_cpu_list(text)


@pytest.mark.parametrize(
    ("files", "size"),
    [
        pytest.param({}, None, id="nothing"),
        pytest.param(
            v2("/a/init.scope", files={"cpuset.cpus.effective": "0-7", "a/cpuset.cpus.effective": "0-1,4"}), 3, id="version 2"
        ),
        pytest.param(v2("/a", files={"a/cpuset.cpus.effective": "", "a/cpuset.cpus": "0-1"}), 2, id="an empty effective set"),
        pytest.param(v1("/a", files={"cpuset/a/cpuset.effective_cpus": "0", "cpuset/a/cpuset.cpus": "0-7"}), 1, id="version 1"),
        pytest.param(
            v1("/a", files={"cpuset/a/cpuset.cpus": "0-1", "cpuset/a/system.slice/cpuset.cpus": "\n"}), 2, id="an old version 1"
        ),
    ],
)
def test_the_least_set_of_cpus_is_found(tree: Tree, files: Mapping[str, str], size: int | None) -> None:
    assert cgroups.cpuset_size(tree(files)) == size


# Published vectors: nginx/docker-nginx, uber-go/automaxprocs, KimMachineGun/automemlimit, timescale/timescaledb-docker.

CPU_MAX = {
    "set: '250000 100000'": "250000 100000\n",
    "only-max: one field, default period 100000": "500000\n",
    "invalid-max": "asdf 100000\n",
    "invalid-period": "500000 njn\n",
    "nonexistent": None,
    "empty": "",
    "too-many-fields": "250000 100000 100\n",
}
MEMORY = {
    "v2_parent_limit (a parent cgroup is tighter)": {"memory.max": mib(512), "a/memory.max": mib(1024)},
    "v2_invalid_memory_max": {"a/memory.max": "invalid\n"},
}


def fixture(inputs: Mapping[str, Any]) -> dict[str, str]:
    """The tree of files that a vector describes."""
    if "fixture" in inputs:
        return v2("/a", files=MEMORY[inputs["fixture"]])
    if "limit" in inputs:
        return {
            **v2("/a", files={"a/memory.max": str(inputs["limit"])}),
            "/proc/meminfo": f"MemTotal: {inputs['mem_total_bytes'] // 1024} kB\n",
        }
    if "cpu_max_fixture" in inputs:
        text = CPU_MAX[inputs["cpu_max_fixture"]]
        return v2("/a", files={} if text is None else {"a/cpu.max": text})
    files = {}
    if inputs["cpuset_effective"]:
        files["a/cpuset.cpus.effective"] = inputs["cpuset_effective"]
    if inputs["cpu_max_quota"]:
        files["a/cpu.max"] = f"{inputs['cpu_max_quota']} {inputs['cpu_max_period']}"
    return {**v2("/a", files=files), "/sys/devices/system/cpu/online": f"0-{inputs['online'] - 1}\n"}


def answer(root: str, wanted: str) -> Any:
    """What is measured, in the terms of the vectors."""
    if wanted == "worker_processes":
        return ceil(host.measure(root, [])["cpus"]["effective"])
    if wanted == "tune_memory":
        limit = host.measure(root, [])["memory"]["limit_bytes"]
        return None if limit is None else f"{limit // MIB}MB"
    try:
        return cgroups.cpu_quota(root)[0] if wanted == "cpu_quota" else memory_limit(root)[0]
    except Malformed:
        return "error"


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["id"])
def test_published_vectors_are_reproduced(tree: Tree, vector: dict[str, Any]) -> None:
    root = tree(fixture(vector["inputs"]))
    assert {wanted: answer(root, wanted) for wanted in vector["expected"]} == vector["expected"]
