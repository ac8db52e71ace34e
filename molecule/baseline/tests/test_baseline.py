"""A hardened host stays reachable, also for whoever tries to lock himself out."""

import json
import os
import pathlib
import re
import socket
import subprocess

import pytest
import replay

SCENARIO = pathlib.Path(__file__).parent.parent
EPHEMERAL = pathlib.Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"])
STRANGER = ("-o", "UserKnownHostsFile=/dev/null", "-o", "StrictHostKeyChecking=no")
DROP_IN = "/etc/ssh/sshd_config.d/00-lemp.conf"
# In the role's order of preference.
POST_QUANTUM = ("mlkem768x25519-sha256", "sntrup761x25519-sha512", "sntrup761x25519-sha512@openssh.com")
NAME = os.environ.get("PLATFORM", "debian13")
IS_EL = NAME.startswith("rocky")
on_el = pytest.mark.skipif(not IS_EL, reason="EL alone")
not_on_el = pytest.mark.skipif(IS_EL, reason="where apt is")
on_a_raspberry_pi = pytest.mark.skipif(not NAME.startswith("raspios"), reason="Raspberry Pi OS alone")

SSH = "sshd" if IS_EL else "ssh.socket" if NAME == "ubuntu2404" else "ssh"
CRON = "crond" if IS_EL else "cron"
FIREWALL = "firewalld" if IS_EL else "nftables"
TABLE = "firewalld" if IS_EL else "lemp"
RULESET = "/etc/firewalld/policies/lemp.xml" if IS_EL else "/etc/nftables.conf"
TIER = "/etc/firewalld/policies/lemp-web.xml" if IS_EL else "/etc/nftables.d/lemp-web.nft"
UPDATES = ("dnf-automatic.timer",) if IS_EL else ("apt-daily.timer", "apt-daily-upgrade.timer")
LOCALE = "/etc/locale.conf" if IS_EL else "/etc/default/locale"


@pytest.fixture(scope="module")
def address(host):
    return host.check_output("hostname -I").split()[0]


def ssh(address, user, command, *options, port=22):
    options = ("BatchMode=yes", "ConnectTimeout=5", "ControlPath=none", *options)
    flags = [*STRANGER, *(part for option in options for part in ("-o", option))]
    return subprocess.run(
        ["ssh", "-i", EPHEMERAL / "id_ed25519", "-p", str(port), *flags, f"{user}@{address}", command],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def connects(address, port):
    try:
        with socket.create_connection((address, port), timeout=2):
            return True
    except OSError:
        return False


def play(*arguments, **inputs):
    """Run the role over ssh once more; returns its exit status and output."""
    status, output = replay.play(*arguments, timeout=1200, **inputs)
    return status, re.sub(r"\s+", " ", output)


def changes(output):
    return int(re.search(r"over-ssh : ok=\d+ changed=(\d+)", output)[1])


@pytest.mark.parametrize(
    "setting",
    [
        "port 22",
        "port 2222",
        "passwordauthentication no",
        "kbdinteractiveauthentication no",
        "permitrootlogin without-password",
        "x11forwarding no",
        "maxauthtries 4",
        "logingracetime 30",
        "clientaliveinterval 300",
        "permitemptypasswords no",
    ],
)
def test_sshd_has_effective_setting(host, setting):
    assert setting in host.check_output("sshd -T").splitlines()


def test_sshd_prefers_post_quantum_key_exchange_and_knows_nothing_weak(host, address):
    effective = host.check_output("sshd -T")
    known = host.check_output("ssh -Q kex").split()
    best = next(name for name in POST_QUANTUM if name in known)
    assert re.search(rf"(?m)^kexalgorithms {best},", effective)
    assert ssh(address, "anna", "true", "KexAlgorithms=diffie-hellman-group14-sha256").returncode != 0
    assert ssh(address, "anna", "true", "MACs=hmac-sha1", "Ciphers=aes256-ctr").returncode != 0


@pytest.mark.parametrize("port", [22, 2222])
def test_key_opens_both_ports(address, port):
    result = ssh(address, "anna", "id -un", port=port)
    assert (result.returncode, result.stdout) == (0, "anna\n")


def test_password_is_not_even_asked_for(address):
    result = ssh(address, "otto", "true", "PubkeyAuthentication=no", "PreferredAuthentications=password,keyboard-interactive")
    assert result.returncode == 255
    assert "Permission denied (publickey)" in result.stderr


def test_files_can_be_copied(address, tmp_path):
    result = subprocess.run(
        ["sftp", "-i", EPHEMERAL / "id_ed25519", *STRANGER, f"anna@{address}:/etc/os-release", tmp_path / "copy"],
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert result.returncode == 0
    assert "VERSION_ID=" in (tmp_path / "copy").read_text()


def test_admins_have_the_sudo_they_were_given(host, address):
    assert ssh(address, "anna", "sudo -n id -un").stdout == "root\n"
    assert ssh(address, "otto", "sudo -n id -un").returncode != 0
    assert ssh(address, "otto", "echo otto | sudo -S -p '' id -un").stdout == "root\n"
    assert "not allowed" in host.run("sudo -l -U guest").stdout
    assert not host.user("gone").exists


def test_firewall_accepts_only_what_rules_name(host, address):
    for port in (7001, 7002, 7003, 7004):
        assert f":{port} " in host.check_output("ss -Hltn"), "the test needs a server there"
    assert connects(address, 22)
    assert connects(address, 2222)
    assert connects(address, 7001)
    assert connects(address, 7002)
    assert not connects(address, 7003)
    assert not connects(address, 7004)


def test_firewall_sources_of_both_families_are_live(host):
    rules = host.check_output("nft list table inet %s", TABLE)
    assert re.search(r"ip saddr 192\.0\.2\.0/24 tcp dport 7003 accept", rules)
    assert re.search(r"ip6 saddr 2001:db8::1 tcp dport 7003 accept", rules)
    assert re.search(r"ip6 saddr 2001:db8::/32 tcp dport 7002 accept", rules)
    if IS_EL:
        assert re.search(r"chain filter_IN_policy_lemp \{[^}]*\bdrop\n", rules)
    else:
        assert "hook input priority filter; policy drop" in rules


@on_el
def test_firewalld_lets_no_zone_open_what_no_policy_accepts(host, address):
    """Interfaces may be in any zone; what the zones accept comes behind the role's policies."""
    host.check_output("firewall-cmd --quiet --add-port=7004/tcp && firewall-cmd --quiet --zone=trusted --change-interface=eth0")
    try:
        assert not connects(address, 7004)
        assert not connects(address, 7003)
        assert connects(address, 7001)
        assert connects(address, 22)
    finally:
        host.check_output("firewall-cmd --quiet --reload")
    assert host.check_output("firewall-cmd --list-services").split() == ["cockpit", "dhcpv6-client", "ssh"]


@on_el
def test_firewalld_lets_pass_what_the_internet_protocols_need(host):
    rules = host.check_output("nft list table inet firewalld")
    chains = re.findall(r"(?s)chain filter_IN_policy_lemp\w* \{.*?\n\t\}", rules)
    policy = "".join(chains)
    assert "udp dport 546 accept" in policy
    assert re.search(r"(l4proto|icmpv6|ip6 nexthdr) (ipv6-icmp|icmpv6).*accept", policy)
    for kind in ("echo-request", "destination-unreachable", "time-exceeded", "parameter-problem"):
        assert re.search(rf"icmp type {kind} accept", policy)


def test_tables_of_others_survive_changes_and_a_stop(host, address):
    assert host.run("nft list table inet somebody_else").rc == 0
    try:
        host.check_output("systemctl stop %s", FIREWALL)
        assert host.run("nft list table inet %s", TABLE).rc != 0
        assert host.run("nft list table inet somebody_else").rc == 0
    finally:
        # firewalld counts as started before its rules are there, and answers when they are.
        host.check_output("systemctl start %s && { ! command -v firewall-cmd || firewall-cmd --state; }", FIREWALL)
    assert not connects(address, 7004)


def test_firewall_and_updates_start_at_boot(host):
    for unit in (FIREWALL, SSH, *UPDATES):
        assert host.service(unit).is_enabled


@on_el
def test_dnf_automatic_reads_what_it_is_told(host):
    program = """
from dnf.automatic.main import AutomaticConfig
c = AutomaticConfig("/etc/dnf/automatic.conf")
print(c.commands.upgrade_type, c.commands.download_updates, c.commands.apply_updates, getattr(c.commands, "reboot", "never"))
"""
    assert host.check_output("python3 -c %s", program) == "security True True never"
    assert "excludepkgs = mariadb*-server" in host.file("/etc/dnf/automatic.conf").content_string


@not_on_el
def test_updates_come_from_security_origins_alone(host):
    output = host.check_output("unattended-upgrade --dry-run --debug 2>&1")
    allowed = re.search(r"Allowed origins are: (.*)", output)[1]
    codename = host.system_info.codename
    debian = f"origin=Debian,codename={codename}-security,label=Debian-Security"
    ubuntu = (
        f"origin=Ubuntu,archive={codename}",
        f"origin=Ubuntu,archive={codename}-security",
        f"origin=UbuntuESMApps,archive={codename}-apps-security",
        f"origin=UbuntuESM,archive={codename}-infra-security",
    )
    assert (
        allowed
        == {
            "debian": debian,
            "raspios": f"{debian}, origin=Raspberry Pi Foundation,codename={codename}",
            "ubuntu": ", ".join(ubuntu),
        }[re.sub(r"\d+$", "", NAME)]
    )
    assert "'mariadb-server', 'postgresql-[0-9]+$', 'redis-server$', 'valkey-server$'" in output or all(
        name in re.search(r"Initial blacklist: (.*)", output)[1]
        for name in ("mariadb-server", "postgresql-[0-9]+$", "redis-server$")
    )
    periodic = host.check_output("apt-config dump APT::Periodic")
    assert 'APT::Periodic::Unattended-Upgrade "1";' in periodic
    assert 'APT::Periodic::Update-Package-Lists "1";' in periodic


@not_on_el
def test_needrestart_leaves_databases_running(host):
    program = """
        do "/etc/needrestart/needrestart.conf" // die $@;
        my $rules = $nrconf{override_rc};
        for my $name (@ARGV) { print "$name\\n" if grep { $name =~ $_ && !$rules->{$_} } keys %$rules }
    """
    output = host.check_output("perl -e %s mariadb.service redis-server.service nginx.service", program)
    assert output.split() == ["mariadb.service", "redis-server.service"]


def test_journal_is_persistent_and_limited(host):
    assert (
        host.check_output("journalctl --flush && systemd-analyze cat-config systemd/journald.conf").count("SystemMaxUse=200M")
        == 1
    )
    assert host.file("/var/log/journal").is_directory
    assert host.run("ls /var/log/journal/*/system.journal").rc == 0
    assert "max 200" in host.check_output("journalctl -u systemd-journald -b --no-pager | grep 'System Journal' | tail -n 1")


def test_clock_and_language(host):
    assert host.check_output("date -d '2026-01-01 UTC' +%Z") == "CET"
    assert host.check_output(f". {LOCALE}; LANG=$LANG locale charmap") == "UTF-8"
    assert "de_DE.utf8" in host.check_output("locale -a")
    if host.system_info.codename == "trixie":
        assert host.check_output("readlink /etc/default/locale") == "../locale.conf"
    if host.file("/etc/timezone").exists:
        assert host.file("/etc/timezone").content_string == "Europe/Berlin\n"


def test_kernel_parameters_are_merged(host):
    lines = host.file("/etc/sysctl.d/60-lemp.conf").content_string.splitlines()
    assert "net.core.somaxconn = 16384" in lines
    assert "kernel.kptr_restrict = 2" in lines
    assert not any(line.startswith("net.ipv4.conf.all.rp_filter") for line in lines)
    # Every name must be one that the kernel has; what a container cannot write it can read.
    for line in lines:
        name = line.split(" = ")[0].lstrip("-")
        if not line.startswith("#") and not name.startswith("net."):
            assert host.run(f"sysctl -n {name}").rc == 0, name


@pytest.mark.parametrize(
    ("inputs", "sentence"),
    [
        ({"baseline_sshd_ports": [2222]}, "baseline_sshd_ports is 2222, but Ansible is connected to port 22"),
        ({"baseline_sshd_allow_users": ["anna"]}, "shut out deploy, whom Ansible connects as"),
        ({"baseline_sshd_allow_groups": ["sudo"]}, "shut out deploy, whom Ansible connects as"),
        ({"baseline_admins": [{"name": "anna", "keys": []}]}, "anna has 0 keys"),
        (
            {"baseline_admins": [{"name": "deploy", "sudo": "passwordless", "keys": ["ssh-ed25519 AAAAother"]}]},
            "would lose its account, its sudo or all of its present keys",
        ),
        ({"baseline_timezone": "Europe/Berln"}, 'baseline_timezone is "Europe/Berln"'),
        ({"baseline_container": False, "baseline_swap_size_mb": 99999999}, "baseline_swap_size_mb is 99999999"),
        ({"baseline_sshd_permit_root_login": "yes"}, "baseline_sshd_permit_root_login"),
        ({"baseline_watchdog_seconds": 3}, "baseline_watchdog_seconds is 3"),
        pytest.param(
            {"baseline_updates_excluded_packages": ["redis-server$"]},
            "baseline_updates_excluded_packages: redis-server$ is no shell pattern",
            marks=on_el,
        ),
    ],
)
def test_bad_input_is_refused_before_any_change(inputs, sentence):
    status, output = play(**inputs)
    assert status != 0
    assert sentence in output
    assert changes(output) == 0


def test_lock_out_by_sshd_is_undone(host, address):
    before = host.file(DROP_IN).content_string
    status, output = play(
        "--tags", "baseline_sshd", baseline_sshd_allow_users=["deploy@192.0.2.1"], baseline_rollback_seconds=20
    )
    assert status != 0
    assert "baseline_sshd_*: the change was undone" in output
    assert host.file(DROP_IN).content_string == before
    assert "allowusers" not in host.check_output("sshd -T")
    assert ssh(address, "anna", "true").returncode == 0
    assert "put back: sshd" in host.check_output("journalctl -t lemp-guard --no-pager")


def test_lock_out_by_the_firewall_is_undone(host, address):
    before = host.file(RULESET).content_string
    status, output = play(
        "--tags", "baseline_firewall", baseline_firewall_ssh_sources=["192.0.2.1"], baseline_rollback_seconds=20
    )
    assert status != 0
    assert "baseline_firewall_* and baseline_sshd_ports: the change was undone" in output
    assert host.file(RULESET).content_string == before
    assert connects(address, 22)
    assert connects(address, 7001)
    assert not connects(address, 7004)


def test_lock_out_undoes_itself_without_a_controller(host, address):
    """Ansible is killed as soon as the change is live: nobody is left but the timer."""
    before = host.file(DROP_IN).content_string
    inputs = json.dumps({"baseline_sshd_allow_users": ["deploy@192.0.2.1"], "baseline_rollback_seconds": 20})
    with subprocess.Popen(
        ["ansible-playbook", "-i", EPHEMERAL / "inventory", SCENARIO / "converge.yml", "--tags", "baseline_sshd", "-e", inputs],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "ANSIBLE_CONFIG": str(EPHEMERAL / "ansible.cfg")},
    ) as process:
        reached = any("Prove that a new connection" in line for line in process.stdout)
        process.kill()
    assert reached
    assert host.file(DROP_IN).content_string != before
    assert ssh(address, "anna", "true").returncode != 0
    host.run("timeout 40 sh -c 'while systemctl is-active --quiet lemp-guard-sshd.timer; do sleep 1; done'; sleep 2")
    assert host.file(DROP_IN).content_string == before
    assert ssh(address, "anna", "true").returncode == 0
    # What the host put back behind the transaction's back is drift for the next run, and nothing else.
    for wanted, expected in (({}, 0), ({"baseline_sshd_allow_users": ["deploy@192.0.2.1"]}, 1)):
        status, output = play("--check", "--tags", "baseline_sshd", **wanted)
        assert (status, changes(output)) == (0, expected), output


def running(host, unit):
    """What differs as soon as a unit was reloaded, restarted or started."""
    return host.check_output(
        "systemctl show %s --property MainPID,ActiveEnterTimestampMonotonic; journalctl -u %s | grep -c Reload || :", unit, unit
    )


@pytest.mark.parametrize("mode", [(), ("--check",)])
def test_configuration_that_sshd_refuses_never_goes_live(host, mode):
    before, state = host.file(DROP_IN).content_string, running(host, SSH)
    status, output = play("--tags", "baseline_sshd", *mode, baseline_sshd_ciphers=["rot13"])
    assert status != 0
    assert "nothing was changed: " in output
    assert "Bad SSH2 cipher spec 'rot13'" in output
    assert re.search(rf"template etc/ssh/sshd_config.d/00-lemp.conf.j2 \(line \d+ of {DROP_IN}: Ciphers rot13\)", output)
    assert changes(output) == 0
    assert host.file(DROP_IN).content_string == before
    assert running(host, SSH) == state


@not_on_el
@pytest.mark.parametrize(
    ("path", "template", "inputs"),
    [
        ("/etc/nftables.conf", "etc/nftables.conf.j2", {"baseline_firewall_ssh_sources": ["0.0.0.0/0"]}),
        ("/etc/nftables.d/lemp-web.nft", "etc/nftables.d/lemp-tier.nft.j2", {"http_port": 7004}),
    ],
)
def test_configuration_that_nft_refuses_never_goes_live(host, address, path, template, inputs):
    """The ruleset is judged as a whole: with what others have put beside it."""
    before, state = host.file(path).content_string, running(host, "nftables")
    host.check_output("echo 'table inet lemp { chain services { tcp dport nonsense accept; }; }' >/etc/nftables.d/zz-other.nft")
    try:
        status, output = play(**inputs)
    finally:
        host.check_output("rm /etc/nftables.d/zz-other.nft")
    assert status != 0
    assert "nothing was changed: " in output
    assert "/etc/nftables.d/zz-other.nft:1:46-53: Error: Could not resolve service" in output
    assert template in output
    assert changes(output) == 0
    assert host.file(path).content_string == before
    assert running(host, "nftables") == state
    assert connects(address, 7001)
    assert not connects(address, 7004)


@on_el
@pytest.mark.parametrize(
    ("path", "inputs"), [(RULESET, {"baseline_firewall_ssh_sources": ["10.0.0.0/8"]}), (TIER, {"http_port": 7004})]
)
def test_configuration_that_firewalld_refuses_never_goes_live(host, address, path, inputs):
    """The policies are judged as a whole: with what others have put beside them."""
    before, state = host.file(path).content_string, running(host, "firewalld")
    other = '<policy target="CONTINUE"><service name="no-such-service"/></policy>'
    host.check_output("echo %s >/etc/firewalld/policies/zz-other.xml", other)
    try:
        status, output = play(**inputs)
    finally:
        host.check_output("rm /etc/firewalld/policies/zz-other.xml")
    assert status != 0
    assert "nothing was changed: " in output
    assert "'no-such-service' not among existing services" in output
    assert changes(output) == 0
    assert host.file(path).content_string == before
    assert running(host, "firewalld") == state
    assert connects(address, 7001)
    assert not connects(address, 7004)


@not_on_el
def test_configuration_that_apt_refuses_never_goes_live(host):
    path = "/etc/apt/apt.conf.d/52lemp-unattended-upgrades"
    before = host.file(path).content_string
    status, output = play("--tags", "baseline_updates", baseline_updates_excluded_packages=['a" b'])
    assert status != 0
    assert "template etc/apt/apt.conf.d/52lemp-unattended-upgrades.j2 (line " in output
    assert re.search(rf"E: Synta\S+ {path}:\d+", output)
    assert changes(output) == 0
    assert host.file(path).content_string == before


def test_setting_that_something_else_overrides_is_refused_though_nothing_changes(host):
    host.check_output("echo 'PasswordAuthentication yes' >/etc/ssh/sshd_config.d/00-first.conf")
    try:
        status, output = play("--tags", "baseline_sshd,baseline_verify")
    finally:
        host.check_output("rm /etc/ssh/sshd_config.d/00-first.conf")
    assert status != 0
    assert "its settings are not all those of baseline_sshd_*" in output
    assert changes(output) == 0


def test_parameter_that_the_kernel_refuses_is_an_error_every_time():
    """In a container the kernel takes none."""
    for _ in range(2):
        status, output = play(
            "--tags", "baseline_sysctl", baseline_container=False, baseline_time_sync_enabled=False, baseline_swap_size_mb=0
        )
        assert status != 0
        assert "baseline_sysctl: the kernel refused a parameter" in output
        assert 'permission denied on key "fs.protected_fifos"' in output


def test_account_that_somebody_changed_is_brought_back_and_no_hash_is_shown(host):
    stranger = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGJhc2VsaW5lLXRlc3Qtc3RyYW5nZXItMDAwMDAwMDAw stranger"
    shadow = host.check_output("getent shadow otto")
    host.check_output("usermod --shell /bin/sh --password '$6$other$hash' otto")
    host.check_output("echo %s >>/home/anna/.ssh/authorized_keys", stranger)
    status, output = play("-vvv", "--tags", "baseline_admins")
    assert status == 0, output
    assert changes(output) == 2
    assert "$6$" not in output
    assert host.check_output("getent shadow otto").split(":")[1] == shadow.split(":")[1]
    assert host.user("otto").shell == "/bin/bash"
    assert "stranger" not in host.file("/home/anna/.ssh/authorized_keys").content_string
    status, output = play("--tags", "baseline_admins")
    assert (status, changes(output)) == (0, 0), output


def test_new_time_zone_restarts_what_reads_it_once(host):
    before = running(host, CRON), running(host, SSH)
    status, output = play("--tags", "baseline_time", baseline_timezone="Etc/UTC")
    assert (status, changes(output)) == (0, 1), output
    assert host.check_output("readlink /etc/localtime") == "/usr/share/zoneinfo/Etc/UTC"
    assert running(host, CRON) != before[0]
    assert running(host, SSH) == before[1]
    status, output = play("--tags", "baseline_time")
    assert (status, changes(output)) == (0, 1), output


def test_port_can_be_moved_and_moved_back(host, address):
    status, output = play(connect_port=2222, baseline_sshd_ports=[2222])
    assert status == 0, output
    assert not connects(address, 22)
    assert ssh(address, "anna", "true", port=2222).returncode == 0
    status, output = play(connect_port=2222)
    assert status == 0, output
    assert connects(address, 22)


def test_ruleset_that_somebody_flushed_comes_back(host, address):
    # firewalld 2 owns its table, which lets nobody else delete it.
    host.check_output("nft delete table inet %s || systemctl stop %s", TABLE, FIREWALL)
    assert connects(address, 7004)
    status, output = play("--tags", "baseline_firewall")
    assert status == 0, output
    assert not connects(address, 7004)
    assert connects(address, 7001)


@pytest.mark.skipif(NAME != "ubuntu2404", reason="where systemd listens for sshd")
def test_socket_follows_the_ports_of_sshd(host):
    listening = host.check_output("systemctl show ssh.socket --property Listen --value")
    assert sorted(set(re.findall(r":(\d+) ", listening))) == ["22", "2222"]
    assert not host.file("/etc/systemd/system/ssh.socket.d/lemp.conf").exists


@on_a_raspberry_pi
def test_kernel_gets_memory_groups_at_the_next_boot_and_keeps_its_other_arguments(host):
    line = host.file("/boot/firmware/cmdline.txt").content_string
    assert line.endswith(" rootwait cgroup_enable=memory\n")
    assert line.count("\n") == 1
    assert "root=PARTUUID=" in line
    status, output = play("--tags", "baseline_board")
    assert (status, changes(output)) == (0, 0), output


def test_guards_leave_nothing_behind(host):
    assert host.check_output("ls -A /var/lib/lemp/guard") == ""
    assert not host.check_output("systemctl list-timers --all 'lemp-guard-*' --no-legend")
    assert host.check_output("systemctl is-system-running") == "running"
