"""Every daemon starts and runs with the values of the smallest and of the largest plan that this machine can hold."""

import json
import os
import pathlib
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[3]
sys.path.insert(0, str(ROOT / "collections"))
from ansible_collections.lemp.stack.plugins.module_utils._plan.budget import Infeasible, make_plan  # noqa: E402
from ansible_collections.lemp.stack.plugins.module_utils._plan.units import MIB, format_size  # noqa: E402

SERVICES = {name: {} for name in ("nginx", "php_fpm", "mariadb", "postgresql", "redis", "memcached")}
CPUS = os.cpu_count()
DROP_IN = "/etc/systemd/system/nginx.service.d/zz-test.conf"


def plan_of(memory_mb, nofile=None, **versions):
    inputs = {name: {"version": versions[name]} if name in versions else {} for name in SERVICES}
    facts = {"lemp_capacity": {"kernel": {"nofile": nofile}}}
    return make_plan(facts, {**inputs, "host": {"memory_mb": memory_mb, "cpus": CPUS}})


def smallest_mb():
    for memory_mb in range(256, 4096, 16):
        try:
            plan_of(memory_mb)
        except Infeasible:
            continue
        return memory_mb
    raise AssertionError("no plan is feasible")


def largest_mb():
    return int(pathlib.Path("/proc/meminfo").read_text().split()[1]) // 1024


def postgresql_version(host):
    return host.check_output("psql --version | grep -oE '[0-9]+' | head -n 1")


@pytest.fixture(scope="module", params=["smallest", "largest"])
def plan(request, host, row):
    """The plan, for the versions on the host."""
    postgresql = postgresql_version(host)
    mariadb = host.check_output(f"{row('mariadb')['daemon']} --version | grep -oE '[0-9]+[.][0-9]+' | head -n 1")
    memory_mb = smallest_mb() if request.param == "smallest" else largest_mb()
    # A container without CAP_SYS_RESOURCE cannot raise what it was started with.
    nofile = int(host.check_output("awk '/Max open files/ { print $5 }' /proc/1/limits"))
    return plan_of(memory_mb, nofile, postgresql=postgresql, mariadb=mariadb)


def write(host, path, lines):
    host.check_output("mkdir -p %s && printf '%%s\\n' %s > %s", str(pathlib.Path(path).parent), "\n".join(lines), path)


def restart(host, unit):
    done = host.run("systemctl restart %s", unit)
    assert done.rc == 0, host.check_output("journalctl -u %s -n 20 --no-pager", unit)


def test_mariadb_runs_with_every_planned_value(host, plan, row):
    values = plan["mariadb"]
    # Behind the role's own file, which the next test looks at again.
    path = f"{row('mariadb')['config_dir']}/zzz-test.cnf"
    write(host, path, ["[mariadbd]", *(f"{name} = {value}" for name, value in values.items())])
    try:
        restart(host, "mariadb")
        running = dict(
            line.split("\t")
            for line in host.check_output("mariadb --batch -N -e 'show global variables'").splitlines()
            if "\t" in line
        )
    finally:
        host.check_output("rm %s", path)
    assert {name: running[name] for name in values} == {name: str(value) for name, value in values.items()}


def test_postgresql_runs_with_every_planned_value(host, plan, row):
    version, platform = postgresql_version(host), row("postgresql")
    sizes = {
        key.removeprefix("postgresql."): entry["unit"] == "bytes"
        for key, entry in plan["explain"].items()
        if key.startswith("postgresql.")
    }
    values = {name: format_size(value, "postgresql") if sizes[name] else value for name, value in plan["postgresql"].items()}
    # Behind the role's own file.
    path = f"{platform['config_dir'].replace('%s', version)}/conf.d/zz-test.conf"
    write(host, path, [f"{name} = '{value}'" for name, value in values.items()])
    try:
        restart(host, platform["service"].replace("%s", version))
        rows = host.check_output(
            "runuser -u postgres -- psql -At -c %s",
            f"""select json_object_agg(name, json_build_array(setting, coalesce(unit, ''))) from pg_settings
            where name in ({", ".join(f"'{name}'" for name in values)})""",
        )
    finally:
        host.check_output("rm %s", path)
    units = {"8kB": 8192, "kB": 1024, "MB": MIB, "": 1}
    running = {
        name: float(setting) * units.get(unit, 1) if setting[0].isdigit() else setting
        for name, (setting, unit) in json.loads(rows).items()
    }
    assert running == {name: value if isinstance(value, str) else float(value) for name, value in plan["postgresql"].items()}


def test_redis_runs_with_every_planned_value(host, plan):
    values = {name.replace("_", "-"): value for name, value in plan["redis"]["instances"]["cache"].items()}
    path = "/etc/lemp-redis/cache.conf"
    host.check_output("cp -p %s %s.kept", path, path)
    # The last line about a setting counts.
    host.check_output("printf '%%s\\n' %s >> %s", "\n".join(f"{name} {value}" for name, value in values.items()), path)
    try:
        restart(host, "lemp-redis@cache")
        running = {name: host.check_output("lemp-redis cache config get %s | tail -n 1", name) for name in values}
    finally:
        host.check_output("mv %s.kept %s", path, path)
    assert running == {name: str(value) for name, value in values.items()}


def test_memcached_runs_with_every_planned_value(host, plan):
    values = plan["memcached"]
    sizes = f"-m {values['memory_mb']} -c {values['max_connections']} -t {values['threads']}"
    command = f"memcached -u nobody -l 127.0.0.1 -p 11299 {sizes}"
    host.check_output(f"systemd-run --quiet --collect --unit lemp-memcached-test {command}")
    try:
        settings = host.check_output(
            "python3 -c \"import socket,time; time.sleep(1); s=socket.create_connection(('127.0.0.1', 11299));"
            " s.sendall(b'stats settings\\r\\nquit\\r\\n'); print(s.makefile().read())\""
        )
    finally:
        host.run("systemctl stop lemp-memcached-test")
    running = dict(line.split()[1:3] for line in settings.splitlines() if line.startswith("STAT ") and len(line.split()) == 3)
    assert int(running["maxbytes"]) == values["memory_mb"] * MIB
    assert (int(running["maxconns"]), int(running["num_threads"])) == (values["max_connections"], values["threads"])


def test_nginx_and_php_fpm_start_with_planned_values(host, plan, php):
    """Beside the roles' own configuration, which the files come back to."""
    nginx = plan["nginx"]
    workers = plan["php_fpm"]["pools"]["www"]
    edits = {
        "/etc/nginx/nginx.conf": {
            "worker_processes": ("worker_processes [0-9]*", nginx["worker_processes"]),
            "worker_connections": ("worker_connections [0-9]*", nginx["worker_connections"]),
            "worker_rlimit_nofile": ("worker_rlimit_nofile [0-9]*", nginx["worker_rlimit_nofile"]),
        },
        f"{php['pool_dir']}/lemp-shop.conf": {
            "pm": ("pm = .*", f"= {workers['pm']}"),
            "pm.max_children": ("pm.max_children = .*", f"= {workers['max_children']}"),
            "pm.start_servers": ("pm.start_servers = .*", f"= {workers.get('start_servers', 1)}"),
            "pm.min_spare_servers": ("pm.min_spare_servers = .*", f"= {workers.get('min_spare_servers', 1)}"),
            "pm.max_spare_servers": ("pm.max_spare_servers = .*", f"= {workers.get('max_spare_servers', 1)}"),
        },
        f"{php['ini_dir']}/90-lemp.ini": {
            "opcache.memory_consumption": ("opcache.memory_consumption = .*", f"= {plan['opcache']['memory_consumption_mb']}"),
        },
    }
    try:
        for path, changes in edits.items():
            host.check_output("cp -p %s %s.kept", path, path)
            for name, (pattern, value) in changes.items():
                host.check_output(f"sed -i 's/^\\( *\\){pattern}/\\1{name} {value}/' {path}")
        write(host, DROP_IN, ["[Service]", f"LimitNOFILE={plan['limits']['nginx']['LimitNOFILE']}"])
        host.check_output("systemctl daemon-reload")
        restart(host, "nginx")
        restart(host, php["service"])
        master = host.check_output("systemctl show -p MainPID --value nginx")
        processes = host.check_output("pgrep -c -P %s", master)
        files = host.check_output("awk '/Max open files/ { print $4 }' /proc/$(pgrep -P %s | head -n 1)/limits", master)
    finally:
        for path in edits:
            host.check_output("mv %s.kept %s", path, path)
        host.check_output("rm -f %s; systemctl daemon-reload", DROP_IN)
        host.check_output("systemctl restart nginx %s", php["service"])
    assert int(processes) == nginx["worker_processes"]
    assert int(files) == nginx["worker_rlimit_nofile"]


def show(host, unit, key):
    return host.check_output("systemctl show -p %s --value %s", key, unit)


def test_the_plan_is_made_for_the_limit_of_the_container_and_not_for_the_machine(host, php):
    total = 0
    for unit in ("nginx", "mariadb", php["service"]):
        most, high = int(show(host, unit, "MemoryMax")), int(show(host, unit, "MemoryHigh"))
        assert 0 < high < most
        assert show(host, unit, "OOMScoreAdjust") != "0"
        total += most
    assert 256 * MIB < total < 2048 * MIB


def test_a_worker_that_the_kernel_kills_does_not_end_php_fpm(host, php):
    assert show(host, php["service"], "OOMPolicy") == "continue"


@pytest.mark.parametrize("unit", ["nginx", "mariadb"])
def test_the_memory_controller_enforces_the_limit(host, unit):
    path = host.check_output("systemctl show -p ControlGroup --value %s", unit)
    found = host.run(f"cat /sys/fs/cgroup/memory{path}/memory.limit_in_bytes /sys/fs/cgroup{path}/memory.max").stdout.split()
    assert show(host, unit, "MemoryMax") in found
