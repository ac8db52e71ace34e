"""A transaction on a real nginx, refused, killed, without space or under load: the old set or the new one, never less."""

import json
import os
import pathlib
import random
import re
import signal
import subprocess
import time

import pytest

SCENARIO = pathlib.Path(__file__).parent.parent
ROOT = SCENARIO.parent.parent
SCRATCH = os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]
KILLS = int(os.environ.get("LEMP_KILLS", "480"))
CONTROLLER_KILLS = int(os.environ.get("LEMP_CONTROLLER_KILLS", "20"))
RELOADS = int(os.environ.get("LEMP_RELOADS", "100"))
STORE = "/var/lib/lemp/config/harness"


def command(*options, playbook=SCENARIO / "converge.yml", **extra_vars):
    return ["ansible-playbook", "-i", f"{SCRATCH}/inventory", str(playbook), "-e", json.dumps(extra_vars), *options]


def environment(**more):
    return {
        **os.environ,
        "ANSIBLE_CONFIG": f"{SCRATCH}/ansible.cfg",
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"),
        "ANSIBLE_NOCOLOR": "1",
        **more,
    }


def play(*options, playbook=SCENARIO / "converge.yml", more=None, **extra_vars):
    """Run the converge play with other inputs; returns its exit status and what it printed, in one line."""
    done = subprocess.run(
        command(*options, playbook=playbook, **extra_vars),
        env=environment(**(more or {})),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.returncode, re.sub(r"\s+", " ", done.stdout + done.stderr)


def checksum(host):
    return host.check_output("cd /etc/nginx && find . -type f -printf '%p %m %u %g ' -exec sha256sum {} + | sort | sha256sum")


def workers(host):
    return host.check_output("pgrep -P $(cat /run/nginx.pid) | sort | xargs")


def page(host, name, port=8080):
    return host.run(f"curl -s --max-time 5 -H 'Host: {name}' http://127.0.0.1:{port}/").stdout


@pytest.fixture(autouse=True)
def back_to_set_a(host):
    status, said = play(letter="a")
    assert status == 0, said
    yield
    assert host.run("nginx -t -q").rc == 0
    assert host.service("nginx").is_running


def test_a_syntax_error_in_one_of_ten_sites_changes_nothing_and_is_led_back_to_its_template(host):
    before, running = checksum(host), workers(host)
    status, said = play(letter="b", broken_site=7)
    assert status != 0
    assert "harness: the new configuration was refused and nothing was changed" in said
    assert 'unknown directive "bogus_directive" in /etc/nginx/conf.d/lemp-7.conf:8' in said
    assert "template site.conf.j2 (line 8 of /etc/nginx/conf.d/lemp-7.conf: bogus_directive on;)" in said
    assert (checksum(host), workers(host)) == (before, running)
    assert [page(host, f"site{number}.lemp.test") for number in range(1, 11)] == [
        f"site {number} of set a\n" for number in range(1, 11)
    ]
    status, said = play(letter="b")
    assert status == 0, said
    assert page(host, "site7.lemp.test") == "site 7 of set b\n"
    assert page(host, "site1.lemp.test") == "set b\n"


def test_check_mode_finds_the_syntax_error_too_and_leaves_no_trace(host):
    before = checksum(host), host.check_output(f"find {STORE} | sort")
    status, said = play("--check", letter="b", broken_site=7)
    assert status != 0
    assert "unknown directive" in said
    status, said = play("--check", "--diff", letter="b")
    assert status == 0
    assert "+++ after: /etc/nginx/conf.d/lemp-11.conf" in said
    assert "--- before: /etc/nginx/conf.d/lemp-1.conf" in said
    assert (checksum(host), host.check_output(f"find {STORE} | sort")) == before


def test_a_set_that_validates_but_cannot_be_taken_is_put_back(host):
    host.check_output("systemd-run --unit lemp-squatter python3 -m http.server 8099 --bind 127.0.0.1 --directory /srv")
    host.check_output("for i in $(seq 50); do ss -Hltn | grep -q :8099 && exit 0; sleep 0.1; done; exit 1")
    before = checksum(host)
    try:
        status, said = play(letter="b", listen_port=8099)
    finally:
        host.check_output("systemctl stop lemp-squatter")
    assert status != 0
    assert "harness: the new configuration was put back: nginx.service runs, but does not listen on 8099" in said
    assert "bind() to 0.0.0.0:8099 failed (98: Address already in use)" in said
    assert "Everything runs with the old configuration again." in said
    assert checksum(host) == before
    assert page(host, "site3.lemp.test") == "site 3 of set a\n"


def test_a_stopped_nginx_is_started_and_one_that_cannot_start_is_told(host):
    host.check_output("systemctl stop nginx")
    status, said = play("--check")
    assert "changed=1" in said
    status, said = play()
    assert status == 0, said
    assert "changed=1" in said
    host.check_output("systemctl stop nginx")
    host.check_output("systemd-run --unit lemp-squatter python3 -m http.server 8080 --directory /srv")
    host.check_output("for i in $(seq 50); do ss -Hltn | grep -q :8080 && exit 0; sleep 0.1; done; exit 1")
    try:
        status, said = play()
    finally:
        host.check_output("systemctl stop lemp-squatter")
    assert status != 0
    assert "harness: nothing was changed: nginx.service did not start" in said
    assert "Address already in use" in said
    status, said = play()
    assert status == 0, said
    assert page(host, "site3.lemp.test") == "site 3 of set a\n"


def test_a_full_disk_leaves_the_old_set_whole(host):
    before = checksum(host)
    with mounted(host, f"-t tmpfs -o size=64k tmpfs {STORE}", STORE, keep=True):
        host.run(f"dd if=/dev/zero of={STORE}/fill bs=1k count=60")
        status, said = play(letter="b")
        assert status != 0
        assert "nothing was changed, because" in said
        assert "No space left on device" in said
        assert checksum(host) == before
    assert page(host, "site1.lemp.test") == "site 1 of set a\n"


def test_a_read_only_directory_leaves_the_old_set_whole(host):
    before = checksum(host)
    with mounted(host, "--bind /etc/nginx /etc/nginx", "/etc/nginx"):
        host.check_output("mount -o remount,ro,bind /etc/nginx")
        status, said = play(letter="b")
        assert status != 0
        assert "Read-only file system" in said
        assert checksum(host) == before
    assert page(host, "site1.lemp.test") == "site 1 of set a\n"


def test_a_directory_that_is_a_mount_point_is_changed_file_by_file(host):
    with mounted(host, "--bind /etc/nginx /etc/nginx", "/etc/nginx"):
        status, said = play(letter="b")
        assert status == 0, said
        assert page(host, "site11.lemp.test") == "site 11 of set b\n"
        assert host.run("find /etc/nginx -name '*lemp-new*' -o -name '*lemp-old*' -o -name '.*'").stdout == ""


class mounted:  # noqa: N801  # reads as the sentence it is
    """Something mounted on the host for a while; ``keep`` copies what was below first."""

    def __init__(self, host, arguments, point, keep=False):
        self.host, self.arguments, self.point, self.keep = host, arguments, point, keep

    def __enter__(self):
        if self.keep:
            self.host.check_output(f"rm -rf /root/below && cp -a {self.point} /root/below")
        self.host.check_output(f"mount {self.arguments}")
        if self.keep:
            self.host.check_output(f"mkdir -p {self.point}/generations")

    def __exit__(self, *_):
        self.host.check_output(f"umount {self.point}")


@pytest.fixture(scope="module")
def payloads(host):
    """The module with its arguments as Ansible sends it, one file per set."""
    paths = {}
    for letter in ("a", "b"):
        host.check_output("rm -rf /root/.ansible/tmp")
        more = {"ANSIBLE_KEEP_REMOTE_FILES": "1", "ANSIBLE_PIPELINING": "0"}
        status, said = play(letter=letter, more=more)
        assert status == 0, said
        paths[letter] = f"/root/payload_{letter}.py"
        host.check_output(f"cp $(find /root/.ansible/tmp -name AnsiballZ_config_tree.py) {paths[letter]}")
    return paths


def test_killed_at_any_moment_the_files_are_one_of_the_two_sets_and_nginx_accepts_them(host, payloads):
    seed = random.randrange(10**6)
    done = host.run(f"python3 /root/kill.py {KILLS} {payloads['a']} {payloads['b']} {seed}")
    assert done.rc == 0, done.stdout + done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    print(f"seed {seed}: {result}")
    assert result["problems"] == []
    assert result["refusals"] == []
    assert result["is_a"]
    assert not result["left"]
    assert result["samples"] > KILLS
    assert result["torn"] < result["samples"] / 4
    assert result["moments"]["journal"] > KILLS / 20, "too few kills hit the swap"
    assert min(result["found"]["a"], result["found"]["b"]) > KILLS / 10


def test_killing_the_controller_leaves_one_of_the_two_sets_as_well(host):
    sums = {}
    for letter in ("b", "a"):
        assert play(letter=letter)[0] == 0
        sums[checksum(host)] = letter
    assert len(sums) == 2
    for number in range(CONTROLLER_KILLS):
        process = subprocess.Popen(
            command(letter="b" if number % 2 else "a"),
            env=environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        time.sleep(random.uniform(0.8, 2.5))
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        # What the controller had already started on the host may still run to its end.
        host.run(f"flock --timeout 20 {STORE}/../lock true")
        assert checksum(host) in sums, number
        assert host.run("nginx -t -q").rc == 0
    assert play(letter="b")[0] == 0
    assert sums[checksum(host)] == "b"


def test_no_request_fails_while_sites_come_and_go_under_load(host, payloads):
    done = host.run(f"python3 /root/reload.py {RELOADS} {payloads['b']} {payloads['a']} 8080")
    assert done.rc == 0, done.stdout + done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    print(result)
    assert result["changed"] == RELOADS
    assert result["requests"] > RELOADS * 50
    assert (result["failures"], result["first"]) == (0, [])


def test_generations_are_listed_and_put_back_by_the_playbook(host):
    assert play(letter="b")[0] == 0
    book = ROOT / "playbooks" / "rollback_config.yml"
    status, said = play(playbook=book, config="harness")
    assert status == 0, said
    numbers = [int(number) for number in re.findall(r"generation (\d+)", said)]
    assert len(numbers) >= 2
    status, said = play(playbook=book, config="harness", generation=numbers[-2])
    assert status == 0, said
    assert page(host, "site1.lemp.test") == "site 1 of set a\n"
    status, said = play(playbook=book, config="harness", generation=999999)
    assert status != 0
    assert "generation is 999999, but of harness this host keeps" in said


def test_what_is_kept_is_for_root_alone(host):
    assert host.check_output("find /var/lib/lemp/config -perm /077") == ""
