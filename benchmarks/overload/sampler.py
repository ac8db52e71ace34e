"""Once per second, until a file appears: working sets of the host and its units, OOM kills and CPU time since the beginning.

Runs inside the host that it measures, so it imports next to nothing: its own memory counts against the limit.
"""

import os
import sys
import time

STOP, BEGINNING = sys.argv[1:3]
UNITS = sys.argv[3:]


def group_of_host():
    """The container's own group; systemd, its first process, sits in a group below."""
    with open("/proc/1/cgroup") as lines:
        fields = [line.strip().split(":", 2) for line in lines]
    paths = {name: path.removesuffix("/init.scope").rstrip("/") for _, names, path in fields for name in names.split(",")}
    if "memory" in paths:
        return 1, "/sys/fs/cgroup/memory" + paths["memory"], "/sys/fs/cgroup/cpuacct" + paths["cpuacct"]
    return 2, "/sys/fs/cgroup" + paths[""], "/sys/fs/cgroup" + paths[""]


def numbers(path):
    try:
        with open(path) as lines:
            return {key: int(value) for key, value in (line.split()[:2] for line in lines)}
    except (OSError, ValueError):
        return {}  # a unit that is down has no group


def working_set(group, version, whole):
    values = numbers(group + "/memory.stat")
    if version == 2:
        return values.get("anon", 0) + values.get("shmem", 0)
    total = "total_" if whole else ""
    return values.get(total + "rss", 0) + values.get(total + "shmem", 0)


def kills(group, version):
    """By group and its inode: a restarted unit gets a new group, whose counter begins anew."""
    if version == 2:
        return {group: numbers(group + "/memory.events").get("oom_kill", 0)}  # groups below are counted in
    found = {}
    for path, _, _ in os.walk(group):
        try:
            key = f"{path}:{os.stat(path).st_ino}"
        except OSError:
            continue
        found[key] = numbers(path + "/memory.oom_control").get("oom_kill", 0)
    return found


def cpu(group, version):
    if version == 2:
        return numbers(group + "/cpu.stat").get("usage_usec", 0)
    with open(group + "/cpuacct.usage") as file:
        return int(file.read()) // 1000


version, host, clock = group_of_host()
# In a file, so that a sampler that was itself killed goes on counting from the same beginning.
if not os.path.exists(BEGINNING):
    with open(BEGINNING, "w") as file:
        print("cpu", cpu(clock, version), file=file)
        for key, count in kills(host, version).items():
            print(key, count, file=file)
before = numbers(BEGINNING)
last = {}
while True:
    stop = os.path.exists(STOP)
    last.update(kills(host, version))
    killed = sum(count - before.get(key, 0) for key, count in last.items())
    sets = [working_set(host, version, True)]
    sets += [working_set(f"{host}/system.slice/{unit}.service", version, False) for unit in UNITS]
    print(*sets, killed, cpu(clock, version) - before["cpu"], flush=True)
    if stop:
        break
    time.sleep(1)
