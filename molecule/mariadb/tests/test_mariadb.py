"""Everybody gets in with their own password, into their own database and no further; the server runs as planned."""

import copy
import hashlib
import json
import pathlib
import re
import shlex

import pytest
import yaml
from replay import play

SCENARIO = pathlib.Path(__file__).parent.parent
ROLE_VARS = yaml.safe_load((SCENARIO / "converge.yml").read_text())[0]["roles"][0]["vars"]
PASSWORDS = {user["name"]: user["password"] for user in ROLE_VARS["mariadb_users"] if "password" in user}
TEMPLATE = "60-lemp.cnf.j2"


@pytest.fixture(scope="module")
def config(row):
    return row("mariadb")["config_file"]


def sql(host, query, user="root", password=None, tcp=False, database=""):
    """Run the distribution's client, without the locale that would choose its character set."""
    where = "--protocol=tcp -h 127.0.0.1" if tcp else ""
    secret = f"MYSQL_PWD={shlex.quote(password)}" if password else ""
    return host.run(f"env -u LANG {secret} mariadb -rBN -u {user} {where} -e {shlex.quote(query)} {database}")


def value(host, expression):
    result = sql(host, f"SELECT {expression}")
    assert result.rc == 0, result.stderr
    return result.stdout.strip()


def users(**changes):
    """The scenario's users, with keys of shop_a replaced; None removes a key."""
    changed = copy.deepcopy(ROLE_VARS["mariadb_users"])
    changed[0].update(changes)
    changed[0] = {key: given for key, given in changed[0].items() if given is not None}
    return changed


def started_at(host):
    return host.check_output("systemctl show -P InvocationID mariadb")


def starts(host):
    return int(host.check_output("journalctl -u mariadb -o cat --no-pager | grep -c '^Started mariadb'"))


def leaked(output, *further):
    """Passwords, and what the server keeps of them, that a run printed."""
    found = []
    for password in [*further, *PASSWORDS.values()]:
        hashed = hashlib.sha1(hashlib.sha1(password.encode()).digest()).hexdigest()
        if password in output or json.dumps(password)[1:-1] in output or hashed in output.lower():
            found.append(password)
    return found


def words(output):
    return re.sub(r"\s+", " ", output)


def test_service_runs_now_and_at_boot(host):
    assert host.service("mariadb").is_running
    assert host.service("mariadb").is_enabled


@pytest.mark.parametrize("tcp", [False, True], ids=["socket", "tcp"])
@pytest.mark.parametrize("user", ["shop_a", "shopxa"])
def test_site_reads_and_writes_its_own_database(host, user, tcp):
    query = "CREATE OR REPLACE TABLE t (x INT); INSERT INTO t VALUES (41), (1); SELECT SUM(x) FROM t; DROP TABLE t"
    result = sql(host, query, user, PASSWORDS[user], tcp, user)
    assert (result.rc, result.stdout.strip()) == (0, "42"), result.stderr


def test_python_client_gets_in_too(host):
    # As bytes: PyMySQL takes text for Latin-1.
    script = (
        "import os, pymysql, sys; name = sys.argv[1]; "
        "pymysql.connect(host='127.0.0.1', user=name, password=os.environb[b'PW'], database=name)"
    )
    for user in ("shop_a", "shopxa"):
        result = host.run(f"PW={shlex.quote(PASSWORDS[user])} python3 -c {shlex.quote(script)} {user}")
        assert result.rc == 0, result.stderr


@pytest.mark.parametrize(
    ("user", "other"), [("shop_a", "shopxa"), ("shopxa", "shop_a"), ("shop_a", "mysql"), ("nobody_yet", "shop_a")]
)
def test_databases_of_others_are_refused(host, user, other):
    # The first pair is the trap: _ in GRANT stands for any character, x included.
    for query in (f"SELECT 1 FROM {other}.t", f"CREATE TABLE {other}.intruder (x INT)", f"USE {other}"):
        result = sql(host, query, user, PASSWORDS[user])
        assert result.rc != 0, query
        assert "denied" in result.stderr


def test_rights_are_those_listed_and_no_more(host):
    assert sql(host, "CREATE OR REPLACE TABLE shop_a.t (x INT)").rc == 0
    assert sql(host, "SELECT COUNT(*) FROM t", "reader", PASSWORDS["reader"], True, "shop_a").stdout.strip() == "0"
    for user, query in (("reader", "INSERT INTO t VALUES (1)"), ("shop_a", "ALTER TABLE t ADD y INT")):
        result = sql(host, query, user, PASSWORDS[user], True, "shop_a")
        assert result.rc != 0
        assert "denied" in result.stderr


@pytest.mark.parametrize("user", [name for name in PASSWORDS if name != "modern"])
def test_nobody_has_global_rights(host, user):
    client = "127.0.0.%" if user == "reader" else "localhost"
    grants = sql(host, f"SHOW GRANTS FOR '{user}'@'{client}'").stdout
    assert [line.split(" TO ")[0] for line in grants.splitlines() if "*.*" in line] == ["GRANT USAGE ON *.*"]
    assert "GRANT OPTION" not in grants
    result = sql(
        host,
        "SELECT LOAD_FILE('/etc/passwd'), @@secure_file_priv; SHOW GLOBAL STATUS; FLUSH TABLES",
        user,
        PASSWORDS[user],
        user == "reader",
    )
    assert result.rc != 0
    assert "denied" in result.stderr
    assert "root:" not in result.stdout


@pytest.mark.parametrize("tcp", [False, True], ids=["socket", "tcp"])
@pytest.mark.parametrize(
    ("user", "password"), [("shop_a", "wrong"), ("shop_a", None), ("root", "invalid"), ("nobody", None), ("", None)]
)
def test_wrong_names_and_passwords_are_refused(host, user, password, tcp):
    # As nobody: the system's root is let in as root over the socket, and that alone is wanted.
    secret = f"MYSQL_PWD={password}" if password else ""
    where = "--protocol=tcp -h 127.0.0.1" if tcp else ""
    result = host.run(f"runuser -u nobody -- env {secret} mariadb -u '{user}' {where} -e 'SELECT 1'")
    assert result.rc != 0
    assert "Access denied" in result.stderr


def test_root_comes_in_over_the_socket_only(host):
    assert value(host, "CURRENT_USER()") == "root@localhost"
    assert "IDENTIFIED VIA unix_socket" in sql(host, "SHOW CREATE USER root@localhost").stdout
    assert "password" not in sql(host, "SHOW CREATE USER root@localhost").stdout.lower()
    assert sql(host, "SELECT 1", tcp=True).rc != 0
    assert value(host, "COUNT(*) FROM mysql.global_priv WHERE User = 'root' AND Host <> 'localhost' OR User = ''") == "0"
    assert value(host, "COUNT(*) FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = 'test'") == "0"


def test_it_listens_on_loopback_only(host):
    assert {line.split()[3] for line in host.check_output("ss -Hltn").splitlines() if ":22" not in line} == {"127.0.0.1:3306"}


def test_running_values_are_those_configured_and_planned(host, config):
    sizes = {"K": 1024, "M": 1024**2}
    written = dict(re.findall(r"^(\w+) = (.*)$", host.file(config).content_string.split("[mariadb-client]")[0], re.M))
    assert len(written) > 20
    for name, configured in written.items():
        number, unit = re.fullmatch(r"(.*?)([KM]?)", configured).groups()
        expected = str(int(number) * sizes[unit]) if unit else {"ON": "1", "OFF": "0"}.get(configured, configured)
        running = value(host, f"@@{name}")
        assert running in (configured, expected, f"{expected}.000000"), name
    # 2048 MiB, of which MariaDB may have what the reserve leaves; the sum of the worst cases stays below it.
    per_thread = ("sort_buffer_size", "join_buffer_size", "read_buffer_size", "read_rnd_buffer_size", "thread_stack")
    threads = int(value(host, f"@@max_connections * ({' + '.join('@@' + name for name in per_thread)} + @@tmp_table_size)"))
    pool = int(value(host, "@@innodb_buffer_pool_size"))
    assert 512 * sizes["M"] < pool < pool * 1.1 + threads < 2048 * sizes["M"]


def test_text_of_any_language_is_kept(host):
    query = "CREATE OR REPLACE TABLE e (x VARCHAR(20)); INSERT INTO e VALUES ('🐬 ü'); SELECT x, HEX(x) FROM e; DROP TABLE e"
    assert sql(host, query, "shop_a", PASSWORDS["shop_a"], False, "shop_a").stdout.split("\t") == ["🐬 ü", "F09F90AC20C3BC\n"]
    assert (
        value(
            host,
            "GROUP_CONCAT(DISTINCT DEFAULT_COLLATION_NAME) FROM information_schema.SCHEMATA "
            "WHERE SCHEMA_NAME IN ('shop_a', 'shopxa', 'no-table_s')",
        )
        == "utf8mb4_unicode_520_ci"
    )


def test_slow_queries_are_logged_and_the_log_is_rotated(host, row):
    rotation = row("mariadb")["logrotate_file"] or "/etc/logrotate.d/mariadb"
    log = f"{row('mariadb')['log_dir']}/mariadb-slow.log"
    sql(host, "SELECT SLEEP(0.5), 'quick enough'; SELECT SLEEP(2.2), 'before rotation'")
    assert "before rotation" in host.file(log).content_string
    assert "quick enough" not in host.file(log).content_string
    assert f"considering log {log}" in host.run(f"logrotate -d {rotation}").stderr
    assert host.run(f"logrotate -f {rotation}").rc == 0
    sql(host, "SELECT SLEEP(2.2), 'after rotation'")
    assert "after rotation" in host.file(log).content_string
    assert "before rotation" not in host.file(log).content_string
    assert "before rotation" in host.file(f"{log}.1").content_string


def test_local_files_and_performance_schema_are_off(host):
    assert value(host, "@@local_infile, @@performance_schema").split() == ["0", "0"]


def test_no_file_holds_a_password(host):
    for password in PASSWORDS.values():
        found = host.run(f"grep -rlFs -e {shlex.quote(password)} /etc /root /tmp /home /var/log /var/tmp")
        assert found.stdout == ""


def test_data_survive_a_restart(host):
    assert sql(host, "CREATE OR REPLACE TABLE kept (x INT); INSERT INTO kept VALUES (7)", database="shopxa").rc == 0
    assert host.run("systemctl restart mariadb").rc == 0
    assert value(host, "x FROM shopxa.kept") == "7"


def test_changed_password_and_rights_take_hold_without_a_restart(host):
    before = started_at(host)
    new = "new \\ 'one' {é}"
    changed = users(password=new, privileges=[{"database": "shop_a", "grant": ["SELECT"]}])
    try:
        status, output = play("-vvv", "--diff", mariadb_users=changed)
        assert status == 0, output
        assert leaked(output, new) == []
        assert "shop_a@localhost: gets its password" in words(output)
        assert sql(host, "SELECT 1", "shop_a", PASSWORDS["shop_a"]).rc != 0
        assert sql(host, "SELECT 1", "shop_a", new).rc == 0
        assert "denied" in sql(host, "CREATE TABLE shop_a.no (x INT)", "shop_a", new).stderr
    finally:
        status, output = play()
    assert status == 0, output
    assert sql(host, "SELECT 1", "shop_a", PASSWORDS["shop_a"]).rc == 0
    assert started_at(host) == before
    status, output = play()
    assert (status, "changed=0" in output) == (0, True), output


def test_undeclared_databases_and_accounts_stay(host):
    sql(
        host,
        "CREATE DATABASE IF NOT EXISTS mine; CREATE OR REPLACE USER me@localhost IDENTIFIED BY 'me-Secret-1'; "
        "GRANT SELECT ON mine.* TO me@localhost",
    )
    status, output = play()
    assert (status, "changed=0" in output) == (0, True), output
    # Accounts that are as they should be are seen to be so by the one query.
    assert "Accounts | Make" not in output
    assert sql(host, "SELECT 1", "me", "me-Secret-1", False, "mine").rc == 0
    sql(host, "DROP DATABASE mine; DROP USER me@localhost")


def test_what_others_opened_is_announced_and_closed(host):
    sql(
        host,
        "CREATE DATABASE test; CREATE USER ''@localhost; CREATE USER root@'%' IDENTIFIED BY 'x'; "
        "INSERT INTO mysql.db (Host, Db, User, Select_priv) VALUES ('%', 'test\\\\_%', '', 'Y'); "
        "ALTER USER root@localhost IDENTIFIED VIA unix_socket OR mysql_native_password USING PASSWORD('x'); "
        "GRANT SELECT ON `shop_a`.* TO reader@'127.0.0.%'; GRANT PROCESS ON *.* TO reader@'127.0.0.%'",
    )
    status, output = play("--check")
    assert status == 0, output
    for sentence in (
        "DROP USER ''@'localhost'",
        "reader@127.0.0.%: loses PROCESS on *.*",
        "reader@127.0.0.%: loses SELECT on shop_a.*",
    ):
        assert sentence in words(output)
    assert "changed=1" in output
    status, output = play()
    assert (status, "changed=2" in output) == (0, True), output
    test_root_comes_in_over_the_socket_only(host)
    test_nobody_has_global_rights(host, "reader")
    assert value(host, "COUNT(*) FROM mysql.db WHERE User = '' OR Db = 'shop_a'") == "0"
    assert "changed=0" in play()[1]


def test_whatever_was_done_to_an_account_by_hand_is_announced_and_undone(host):
    names = ["shop_a@localhost", "shopxa@localhost", "nobody_yet@localhost", "reader@'127.0.0.%'"]

    def grants():
        """Without the order in which the server lists them."""
        lines = "".join(sql(host, f"SHOW GRANTS FOR {name}; SHOW CREATE USER {name}").stdout for name in names).splitlines()
        return sorted(lines)

    before = grants()
    kept = hashlib.sha1(hashlib.sha1(PASSWORDS["nobody_yet"].encode()).digest()).hexdigest().upper()
    by_hand = sql(
        host,
        "CREATE OR REPLACE TABLE shop_a.t (x INT, y INT); CREATE OR REPLACE PROCEDURE shop_a.p() SELECT 1; "
        "CREATE OR REPLACE ROLE boss; GRANT ALL ON *.* TO boss; GRANT boss TO reader@'127.0.0.%'; "
        "GRANT UPDATE ON shop_a.t TO nobody_yet@localhost; GRANT SELECT (x, y), INSERT (y) ON shop_a.t TO shopxa@localhost; "
        "GRANT EXECUTE ON PROCEDURE shop_a.p TO shopxa@localhost; "
        "GRANT SELECT ON mysql.* TO shop_a@localhost WITH GRANT OPTION; "
        "GRANT PROXY ON root@localhost TO shop_a@localhost; REVOKE DROP ON shopxa.* FROM shopxa@localhost; "
        "ALTER USER shop_a@localhost REQUIRE SSL; "
        f"ALTER USER nobody_yet@localhost IDENTIFIED VIA mysql_native_password USING '*{kept}' OR unix_socket",
    )
    assert by_hand.rc == 0, by_hand.stderr
    tampered = grants()
    assert tampered != before
    status, output = play("--check", "--diff", "-vvv")
    assert status == 0, output
    for sentence in (
        "reader@127.0.0.%: loses role boss",
        "shop_a@localhost: may no longer act as root@localhost",
        "shop_a@localhost: no longer has to use TLS",
        "shop_a@localhost: loses GRANT OPTION, SELECT on mysql.*",
        "shopxa@localhost: gets ALL on shopxa.*",
        "shopxa@localhost: loses its rights on shop_a.t",
        "shopxa@localhost: loses its rights on shop_a.p",
        "nobody_yet@localhost: gets its password",
        "nobody_yet@localhost: loses its rights on shop_a.t",
    ):
        # Within JSON, in which -vvv prints.
        assert sentence in words(output)
    assert leaked(output) == []
    assert grants() == tampered
    assert play("--tags", "mariadb_accounts")[0] == 0
    assert grants() == before
    assert sql(host, "SELECT 1", "nobody_yet", PASSWORDS["nobody_yet"]).rc == 0
    status, output = play()
    assert (status, "changed=0" in output) == (0, True), output
    sql(host, "DROP ROLE boss; DROP PROCEDURE shop_a.p; DROP TABLE shop_a.t")


def test_a_server_that_keeps_root_out_says_so(host, row):
    sql(host, "ALTER USER root@localhost IDENTIFIED VIA mysql_native_password USING PASSWORD('x')")
    try:
        status, output = play("-vvv")
    finally:
        # Debian's own way in for maintenance.
        host.check_output(
            "runuser -u mysql -- mariadb -u mysql -e 'ALTER USER root@localhost IDENTIFIED VIA unix_socket'",
        )
    assert status != 0
    assert re.search("MariaDB does not let root in over " + row("mariadb")["socket"] + ": .*Access denied", words(output)), (
        output
    )
    assert leaked(output) == []


def test_a_stopped_server_is_announced_and_started(host):
    assert host.run("systemctl disable --now mariadb").rc == 0
    status, output = play("--check")
    assert (status, "changed=1" in output) == (0, True), output
    assert not host.service("mariadb").is_running
    status, output = play()
    assert (status, "changed=1" in output) == (0, True), output
    test_service_runs_now_and_at_boot(host)


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"no_such_variable": 1}, "unknown variable 'no_such_variable=1'"),
        ({"innodb_flush_log_at_trx_commit": "often"}, "Parsing options for plugin 'InnoDB' failed"),
        ({"sql_mode": "NONSENSE"}, "Error while setting value 'NONSENSE' to 'sql_mode'"),
    ],
)
@pytest.mark.parametrize("options", [(), ("--check",)], ids=["run", "check"])
def test_server_refuses_a_bad_setting_before_the_file_changes(host, config, settings, complaint, options):
    file, before = host.file(config).sha256sum, started_at(host)
    status, output = play(*options, mariadb_extra_settings=settings)
    assert status != 0
    assert complaint in words(output)
    assert TEMPLATE in output
    assert "nothing was changed" in words(output)
    assert (host.file(config).sha256sum, started_at(host)) == (file, before)


def test_a_mistake_in_the_live_file_does_not_stand_in_the_way_of_its_cure(host, config):
    file, before = host.file(config).sha256sum, starts(host)
    assert host.run(f"sed -i '/^port/a no_such_variable = 1' {config}").rc == 0
    status, output = play()
    assert status == 0, output
    assert host.file(config).sha256sum == file
    assert starts(host) == before + 1


@pytest.mark.parametrize(
    ("inputs", "complaint"),
    [
        ({"mariadb_port": 3399}, "Bind on TCP/IP port. Got error: 98: Address already in use"),
        ({"mariadb_extra_settings": {"innodb_page_size": "8k"}}, "Unknown/unsupported storage engine: InnoDB"),
    ],
    ids=["port taken", "data of another kind"],
)
def test_a_configuration_that_does_not_start_is_put_back(host, config, inputs, complaint):
    file = host.file(config).sha256sum
    before = host.run(f"stat -c '%U %G %a' {config}").stdout
    sql(host, "CREATE OR REPLACE TABLE kept (x INT); INSERT INTO kept VALUES (8)", database="shopxa")
    host.check_output("systemd-run --quiet --unit=squatter python3 -m http.server --bind 127.0.0.1 3399")
    try:
        host.check_output("timeout 10 sh -c 'until ss -Hltn sport = 3399 | grep -q LISTEN; do sleep 0.1; done'")
        status, output = play(**inputs)
    finally:
        host.run("systemctl stop squatter")
    assert status != 0
    assert complaint in words(output), output
    assert TEMPLATE in output
    assert "put back" in words(output)
    assert "Everything runs with the old configuration again" in words(output)
    assert host.file(config).sha256sum == file
    assert host.run(f"stat -c '%U %G %a' {config}").stdout == before
    test_service_runs_now_and_at_boot(host)
    assert value(host, "x FROM shopxa.kept") == "8"
    status, output = play()
    assert (status, "changed=0" in output) == (0, True), output


def test_a_value_that_another_file_overrides_is_named(host, row):
    other = f"{row('mariadb')['config_dir']}/zzz-foreign.cnf"
    host.check_output(f"printf '[mariadbd]\nmax_connections = 77\n' > {other} && systemctl restart mariadb")
    try:
        status, output = play()
    finally:
        host.check_output(f"rm {other} && systemctl restart mariadb")
    assert status != 0
    assert re.search(r"max_connections is 77 instead of \d+\): another file overrides", words(output)), output


def test_good_setting_is_taken_over_with_one_restart(host):
    before, count = started_at(host), starts(host)
    inputs = {
        "mariadb_extra_settings": {"max_allowed_packet": "32M", "innodb-print-all-deadlocks": True},
        "mariadb_max_connections": 40,
    }
    status, output = play("--check", "--diff", **inputs)
    assert (status, "changed=1" in output) == (0, True), output
    assert "+max_connections = 40" in output
    assert started_at(host) == before
    status, output = play(**inputs)
    assert status == 0, output
    assert starts(host) == count + 1
    assert value(host, "@@max_allowed_packet, @@innodb_print_all_deadlocks, @@max_connections").split() == [
        "33554432",
        "1",
        "40",
    ]
    assert started_at(host) != before
    assert play()[0] == 0


def test_accounts_of_every_kind_come_in_as_they_should(host):
    assert sql(host, "SELECT CURRENT_USER(), CURRENT_ROLE()", "modern", PASSWORDS["modern"]).stdout.split() == [
        "modern@localhost",
        "readers",
    ]
    assert "denied" in sql(host, "SELECT 1", "modern", "wrong").stderr
    by_socket = host.run("runuser -u daemon -- mariadb -rBN -u daemon -e 'SELECT CURRENT_USER(); SHOW PROCESSLIST'")
    assert by_socket.rc == 0, by_socket.stderr
    assert "daemon@localhost" in by_socket.stdout
    assert host.run("runuser -u nobody -- mariadb -u daemon -e 'SELECT 1'").rc != 0
    assert host.run("runuser -u daemon -- mariadb -u daemon -h 127.0.0.1 --protocol=tcp -e 'SELECT 1'").rc != 0
    assert "denied" in host.run("runuser -u daemon -- mariadb -u daemon -e 'SELECT * FROM shop_a.t; FLUSH TABLES'").stderr


def test_a_role_gives_what_it_has_and_no_more(host):
    assert sql(host, "CREATE OR REPLACE TABLE t (x INT); INSERT INTO t VALUES (3)", database="shopxa").rc == 0
    assert sql(host, "SELECT x FROM t", "modern", PASSWORDS["modern"], False, "shopxa").stdout.strip() == "3"
    assert "denied" in sql(host, "DELETE FROM t", "modern", PASSWORDS["modern"], False, "shopxa").stderr
    assert "denied" in sql(host, "USE shop_a", "modern", PASSWORDS["modern"]).stderr


def test_a_statement_that_takes_too_long_is_aborted(host):
    slow = sql(
        host, "SELECT COUNT(*) FROM seq_1_to_100000 a, seq_1_to_100000 b", "modern", PASSWORDS["modern"], False, "shopxa"
    )
    assert slow.rc != 0
    assert "max_statement_time exceeded" in slow.stderr


def test_events_run_and_time_zones_are_known(host):
    assert value(host, "@@event_scheduler") == "ON"
    assert value(host, "CONVERT_TZ('2026-07-01 12:00:00', 'UTC', 'Europe/Berlin')") == "2026-07-01 14:00:00"


def test_a_role_and_rights_on_the_server_converge_both_ways(host):
    broken = sql(
        host,
        "GRANT DELETE ON shop_a.* TO readers; GRANT FILE, SHUTDOWN ON *.* TO daemon@localhost; REVOKE PROCESS ON *.* FROM "
        "daemon@localhost; REVOKE readers FROM modern@localhost; ALTER USER modern@localhost WITH MAX_STATEMENT_TIME 0",
    )
    assert broken.rc == 0, broken.stderr
    status, output = play("--check")
    assert status == 0, output
    for sentence in (
        "role readers: loses DELETE on shop_a.*",
        "daemon@localhost: gets PROCESS on *.*",
        "daemon@localhost: loses FILE, SHUTDOWN on *.*",
        "modern@localhost: gets role readers",
        "modern@localhost: may run a statement for 0.5 s",
    ):
        assert sentence in words(output)
    status, output = play("--tags", "mariadb_accounts")
    assert status == 0, output
    test_accounts_of_every_kind_come_in_as_they_should(host)
    test_a_role_gives_what_it_has_and_no_more(host)
    assert "SHUTDOWN" not in sql(host, "SHOW GRANTS FOR daemon@localhost").stdout
    assert "changed=0" in play()[1]


def test_a_password_is_changed_while_a_site_is_served(host):
    """Both passwords hold until the inventory no longer names the old one; a client that never stops sees no failure."""
    old, new = PASSWORDS["shop_a"], "rotated-Secret-2"
    host.check_output(
        "printf '%s' " + shlex.quote(old) + " > /run/lemp-password; printf '%s' 0 > /run/lemp-refused; "
        "systemd-run --quiet --unit=site sh -c 'while :; do "
        'MYSQL_PWD=$(cat /run/lemp-password) mariadb -u shop_a shop_a -e "SELECT 1" >/dev/null 2>>/run/lemp-refused; '
        "sleep 0.05; done'"
    )
    try:
        status, output = play("-vvv", "--diff", mariadb_users=users(password=new, previous_password=old))
        assert status == 0, output
        assert leaked(output, new) == []
        for password in (old, new):
            assert sql(host, "SELECT 1", "shop_a", password).rc == 0
        assert "changed=0" in play(mariadb_users=users(password=new, previous_password=old))[1]
        host.check_output(f"printf '%s' {shlex.quote(new)} > /run/lemp-next && mv /run/lemp-next /run/lemp-password")
        status, output = play(mariadb_users=users(password=new))
        assert status == 0, output
        assert "denied" in sql(host, "SELECT 1", "shop_a", old).stderr
        assert sql(host, "SELECT 1", "shop_a", new).rc == 0
        assert "changed=0" in play(mariadb_users=users(password=new))[1]
        assert host.file("/run/lemp-refused").content_string == "0"
    finally:
        host.run("systemctl stop site; rm -f /run/lemp-password /run/lemp-refused")
        play()
    assert sql(host, "SELECT 1", "shop_a", old).rc == 0


def test_clients_from_elsewhere_need_the_right_place_and_tls(host, row):
    address = host.check_output("hostname -I").split()[0]
    far = {
        "mariadb_bind_address": f"127.0.0.1,{address}",
        "mariadb_tls": {"names": [address]},
        "mariadb_users": [
            *users(),
            {
                "name": "far",
                "host": address,
                "password": "far-Secret-1",
                "privileges": [{"database": "shop_a", "grant": ["SELECT"]}],
            },
            {"name": "wrong", "host": "203.0.113.7", "password": "far-Secret-1"},
            {"name": "strict", "password": "far-Secret-1", "require_tls": True},
        ],
    }
    authority = f"{row('mariadb')['tls_dir']}/ca.pem"
    client = f"mariadb --no-defaults -rBN -h {address} --protocol=tcp -u"
    verified = f"--ssl-ca={authority} --ssl-verify-server-cert"
    try:
        status, output = play(**far)
        assert status == 0, output
        assert "changed=0" in play(**far)[1]
        assert "changed=0" in play("--check", **far)[1]
        listening = {line.split()[3] for line in host.check_output("ss -Hltn sport = 3306").splitlines()}
        assert listening == {"127.0.0.1:3306", f"{address}:3306"}

        def remote(user, options):
            return host.run(f"MYSQL_PWD=far-Secret-1 {client} {user} {options} -e \"SHOW STATUS LIKE 'Ssl_version'\"")

        proven = remote("far", verified)
        assert proven.rc == 0, proven.stderr
        assert "TLSv1.3" in proven.stdout
        plain = remote("far", "--skip-ssl")
        assert plain.rc != 0
        # The same account, without TLS only; servers before 11 do not say why.
        assert re.search("secure|denied", plain.stderr)
        assert "denied" in remote("wrong", verified).stderr
        assert "denied" in host.run(f"MYSQL_PWD=far-Secret-1 {client} far {verified} -e 'USE shopxa'").stderr
        # Another authority has signed nothing here.
        host.check_output(
            "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout /run/other.key -out /run/other.pem "
            "-subj /CN=other -days 2"
        )
        assert remote("far", "--ssl-ca=/run/other.pem --ssl-verify-server-cert").rc != 0
        # The socket is no network, but an account may insist.
        assert sql(host, "SELECT 1", "shop_a", PASSWORDS["shop_a"]).rc == 0
        assert "denied" in host.run("MYSQL_PWD=far-Secret-1 mariadb --no-defaults --skip-ssl -u strict -e 'SELECT 1'").stderr
        key = host.file(f"{row('mariadb')['tls_dir']}/server.key")
        assert (key.mode, key.user) == (0o600, "mysql")
        assert host.file(f"{row('mariadb')['tls_dir']}/ca.key").user == "root"
    finally:
        sql(host, "DROP USER IF EXISTS far@'" + address + "', wrong@'203.0.113.7', strict@localhost")
        status, output = play()
    assert status == 0, output
    test_it_listens_on_loopback_only(host)


def test_a_dump_fills_an_empty_database_once(host, tmp_path):
    dump = tmp_path / "shop.sql"
    dump.write_text("CREATE TABLE brought (x INT);\nINSERT INTO brought VALUES (1), (2);\n")
    inputs = {
        "mariadb_databases": [*ROLE_VARS["mariadb_databases"], "imported"],
        "mariadb_imports": [{"database": "imported", "path": str(dump)}],
    }
    try:
        status, output = play("--check", **inputs)
        assert (status, "a database is filled from" in words(output)) == (0, True), output
        status, output = play("--diff", "-v", **inputs)
        assert status == 0, output
        assert "INTO brought" not in output
        assert value(host, "COUNT(*) FROM imported.brought") == "2"
        assert sql(host, "DELETE FROM imported.brought").rc == 0
        assert "changed=0" in play(**inputs)[1]
        assert value(host, "COUNT(*) FROM imported.brought") == "0"
        # Half a dump is none.
        dump.write_text("CREATE TABLE half (x INT);\nNONSENSE;\n")
        sql(host, "DROP DATABASE imported")
        status, output = play(**inputs)
        assert status != 0
        assert "cannot be read into database imported, which is empty again" in words(output)
        assert value(host, "COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'imported'") == "0"
        assert host.run("ls -d /var/tmp/lemp-import-*").rc != 0
    finally:
        sql(host, "DROP DATABASE IF EXISTS imported")


def test_a_binary_log_is_kept_within_its_bounds(host):
    try:
        status, output = play(mariadb_binlog=True, mariadb_binlog_expire_days=2)
        assert status == 0, output
        assert value(host, "@@log_bin, @@binlog_expire_logs_seconds").split() == ["1", "172800"]
        assert "changed=0" in play(mariadb_binlog=True, mariadb_binlog_expire_days=2)[1]
        newer = value(host, "@@version").split(".")[:2] >= ["11", "4"]
        if newer:
            assert int(value(host, "@@max_binlog_total_size")) >= 256 * 1024**2
    finally:
        assert play()[0] == 0


def test_a_server_that_is_killed_loses_no_row_and_the_next_run_repairs(host):
    """Each number is written down by the client only after the server has said that it is committed."""
    host.check_output(
        "mariadb -e 'CREATE OR REPLACE TABLE shopxa.rows_kept (x INT PRIMARY KEY) ENGINE=InnoDB'; rm -f /run/lemp-committed; "
        "systemd-run --quiet --unit=writer sh -c 'n=0; while :; do n=$((n + 1)); "
        'mariadb -e "INSERT INTO shopxa.rows_kept VALUES ($n)" 2>/dev/null && echo $n >> /run/lemp-committed; done\''
    )
    killer = (
        "systemd-run --quiet --unit=killer sh -c 'while ! mariadb -BNe \"SELECT 1 FROM mysql.global_priv "
        'WHERE User = \\"late\\"" 2>/dev/null | grep -q 1; do sleep 0.02; done; systemctl kill -s KILL mariadb\''
    )
    late = [*users(), *({"name": f"late{number or ''}", "password": f"late-Secret-{number}"} for number in range(3))]
    try:
        host.check_output(killer)
        status, output = play(mariadb_users=late, mariadb_max_connections=41)
        host.check_output(
            "timeout 30 sh -c 'until systemctl is-active -q mariadb || systemctl start mariadb; do sleep 0.5; done'"
        )
        host.run("systemctl stop writer killer")
        assert "KILL" in host.check_output("journalctl -u mariadb -o cat --no-pager | grep -E 'status=9|code=killed' | tail -1")
        committed = [int(line) for line in host.file("/run/lemp-committed").content_string.split()]
        assert len(committed) > 10
        kept = {int(line) for line in sql(host, "SELECT x FROM shopxa.rows_kept").stdout.split()}
        assert set(committed) - kept == set()
        status, output = play(mariadb_users=late, mariadb_max_connections=41)
        assert status == 0, output
        assert "changed=0" in play(mariadb_users=late, mariadb_max_connections=41)[1]
        assert sql(host, "SELECT 1", "late2", "late-Secret-2").rc == 0
    finally:
        host.run("systemctl stop writer killer")
        sql(host, "DROP USER IF EXISTS late@localhost, late1@localhost, late2@localhost; DROP TABLE shopxa.rows_kept")
        assert play()[0] == 0


def test_data_of_a_newer_server_are_refused_before_anything_is_touched(host, row):
    data = row("mariadb")["data_dir"]
    found = host.run(f"ls {data}/mariadb_upgrade_info {data}/mysql_upgrade_info").stdout.split()
    assert found
    before = started_at(host)
    host.check_output(f"cp -a {found[0]} /run/lemp-info && printf '99.1.2-MariaDB' > {found[0]}")
    try:
        status, output = play()
    finally:
        host.check_output(f"cp -a /run/lemp-info {found[0]}")
    assert status != 0
    assert "The data directory was last used by MariaDB 99.1, which is newer" in words(output)
    assert "changed=0" in output
    assert started_at(host) == before


def test_tables_of_an_older_server_are_brought_along_once(host, row):
    data = row("mariadb")["data_dir"]
    [info] = host.run(f"ls {data}/mariadb_upgrade_info {data}/mysql_upgrade_info").stdout.split()
    host.check_output(f"printf '10.5.9-MariaDB' > {info}")
    status, output = play()
    assert (status, "changed=1" in output) == (0, True), output
    assert value(host, "@@version").split("-")[0] in host.file(info).content_string
    assert "changed=0" in play()[1]


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (
            {"mariadb_users": [*users(), users()[0]]},
            "mariadb_users lists an account more than once .*shop_a@localhost.* merge the entries",
        ),
        ({"mariadb_users": users(password=None)}, "mariadb_users: shop_a has no password; set it"),
        (
            {"mariadb_users": users(privileges=[{"database": "shop_a", "grant": ["SELCT"]}])},
            'mariadb_users grants "SELCT", which is no right',
        ),
        (
            {"mariadb_users": users(privileges=[{"database": "shop", "grant": ["SELECT"]}])},
            "grants rights on shop, but mariadb_databases lists only",
        ),
        ({"mariadb_users": users(name="root")}, 'mariadb_users contains the name or host "root"'),
        (
            {"mariadb_users": [*users(), {**users()[0], "host": "%", "password": "another-Secret"}]},
            "different passwords for one name at places that overlap .shop_a@localhost and shop_a@%.",
        ),
        (
            {"mariadb_users": users(privileges=[{"database": "shop_a", "grant": ["PROCESS"]}])},
            'mariadb_users grants "PROCESS", which is no right on a database',
        ),
        ({"mariadb_users": users(require_tls=True)}, "shop_a@localhost has to use TLS, which the server does not offer"),
        ({"mariadb_databases": ["a`b"]}, 'mariadb_databases contains "a`b"; use'),
        ({"mariadb_users": users(host="10.0.0.0/24")}, "from 10.0.0.0/24, which MariaDB matches with nobody"),
        ({"mariadb_bind_address": "127.0.0.1, 10.0.0.5"}, 'mariadb_bind_address is "127.0.0.1, 10.0.0.5"; use an address'),
        ({"mariadb_read_buffer_size_kb": 77}, "mariadb_read_buffer_size_kb is 77, which the server would round"),
        ({"mariadb_innodb_buffer_pool_size_mb": 4096}, "the services need .* more than the host has"),
        (
            {"mariadb_imports": [{"database": "nowhere", "path": "x.sql"}]},
            "mariadb_imports fills nowhere, but mariadb_databases lists only",
        ),
        ({"mariadb_max_connections": 3}, "mariadb_max_connections is 3; use a number from 10 to"),
        (
            {"mariadb_extra_settings": {"bind-address": "0.0.0.0"}},
            "mariadb_extra_settings sets bind_address; use the role's own input",
        ),
        (
            {"mariadb_skip_name_resolve": True, "mariadb_users": users(host="web.lan")},
            "lets in clients from web.lan, but mariadb_skip_name",
        ),
    ],
)
def test_bad_input_is_refused_before_any_change(given, sentence):
    status, output = play("-vvv", **given)
    assert status != 0
    assert re.search(sentence, words(output).replace('\\"', '"')), output
    assert leaked(output) == []
    assert "changed=0" in output
    assert "Install | " not in output
