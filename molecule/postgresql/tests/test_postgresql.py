"""Everybody gets in with their own password, into their own database and no further; the server runs as planned."""

import copy
import json
import pathlib
import re
import shlex
import threading

import pytest
import yaml
from replay import play, playing

SCENARIO = pathlib.Path(__file__).parent.parent
ROLE_VARS = yaml.safe_load((SCENARIO / "converge.yml").read_text())[0]["roles"][0]["vars"]
PASSWORDS = {user["name"]: user["password"] for user in ROLE_VARS["postgresql_users"] if "password" in user}
SOCKET = "/run/postgresql"


@pytest.fixture(scope="module")
def version(host):
    return host.check_output("psql -U postgres -Atc 'SHOW server_version_num'")[:2]


@pytest.fixture(scope="module")
def layout(row, version):
    """The platform's row with the version filled in."""
    return {key: value.replace("%s", version) if isinstance(value, str) else value for key, value in row("postgresql").items()}


@pytest.fixture(scope="module")
def address(host):
    """The host as others see it."""
    return host.check_output("hostname -I").split()[0]


def sql(host, query, user="postgres", database="postgres", password="", where=SOCKET, tls="", port=5432):
    """Run psql, over the socket if not told otherwise."""
    environment = f"PGPASSWORD={shlex.quote(password)} PGCONNECT_TIMEOUT=10 {f'PGSSLMODE={tls}' if tls else ''}"
    return host.run(
        f"{environment} psql -w -XAtq -v ON_ERROR_STOP=1 -h {where} -p {port} -U {user} -d {database} -c {shlex.quote(query)}"
    )


def value(host, expression, database="postgres"):
    result = sql(host, f"SELECT {expression}", database=database)
    assert result.rc == 0, result.stderr
    return result.stdout.strip()


def users(**changes):
    """The scenario's users, with keys of shop_a replaced; None removes a key."""
    changed = copy.deepcopy(ROLE_VARS["postgresql_users"])
    changed[0].update(changes)
    changed[0] = {key: given for key, given in changed[0].items() if given is not None}
    return changed


def started_at(host):
    return value(host, "pg_postmaster_start_time()")


def leaked(output, *further):
    """Passwords, and what the server keeps of them, that a run printed."""
    found = [secret for secret in [*further, *PASSWORDS.values()] if secret in output or json.dumps(secret)[1:-1] in output]
    return found + re.findall(r"SCRAM-SHA-256\$\d+:", output)


def words(output):
    return re.sub(r"\s+", " ", output)


def files(host, layout):
    names = ("conf.d/60-lemp.conf", "conf.d/61-lemp-reload.conf", "pg_hba.conf", "pg_ident.conf")
    return host.check_output("cat " + " ".join(f"{layout['config_dir']}/{name}" for name in names))


def test_service_runs_now_and_at_boot(host, layout):
    assert host.service(layout["service"]).is_running
    for unit in layout["boot_units"] or [layout["service"]]:
        assert host.service(unit).is_enabled


@pytest.mark.parametrize("where", [SOCKET, "127.0.0.1"])
@pytest.mark.parametrize("user", ["shop_a", "shopxa"])
def test_site_reads_and_writes_its_own_database(host, user, where):
    query = "CREATE TEMPORARY TABLE t (x int); INSERT INTO t VALUES (41), (1); SELECT sum(x) FROM t"
    result = sql(host, query, user, user, PASSWORDS[user], where)
    assert (result.rc, result.stdout.strip()) == (0, "42"), result.stderr


def test_python_client_gets_in_too(host, address):
    script = (
        "import os, psycopg2, sys; c = psycopg2.connect(host=sys.argv[1], user='shopxa', dbname='shopxa', "
        "password=os.environ['PW'], sslmode='require'); print(c.info.ssl_in_use)"
    )
    result = host.run(f"PW={shlex.quote(PASSWORDS['shopxa'])} python3 -c {shlex.quote(script)} {address}")
    assert (result.rc, result.stdout.strip()) == (0, "True"), result.stderr


@pytest.mark.parametrize(
    ("user", "other"),
    [("shop_a", "shopxa"), ("shopxa", "shop_a"), ("shop_a", "postgres"), ("far", "shop_a"), ("reader", "shopxa")],
)
@pytest.mark.parametrize("where", [SOCKET, "127.0.0.1"])
def test_databases_of_others_are_refused(host, user, other, where):
    result = sql(host, "SELECT 1", user, other, PASSWORDS[user], where)
    assert result.rc != 0
    assert "rejects connection" in result.stderr


def test_a_role_without_connect_is_refused_even_where_the_rules_would_let_it_in(host):
    """Two doors: pg_hba.conf and CONNECT."""
    assert value(host, "has_database_privilege('shop_a', 'shopxa', 'CONNECT')") == "f"
    assert value(host, "has_database_privilege('reader', 'shop_a', 'CONNECT')") == "t"


@pytest.mark.parametrize("password", ["", "wrong", "reader-Secret-1"])
def test_wrong_passwords_are_refused(host, password):
    for where in (SOCKET, "127.0.0.1"):
        result = sql(host, "SELECT 1", "shop_a", "shop_a", password, where)
        assert result.rc != 0
        assert re.search("password authentication failed|no password supplied", result.stderr)


def test_beyond_loopback_there_is_tls_only_and_only_for_those_who_may_come_from_there(host, address):
    assert sql(host, "SELECT 1", "shopxa", "shopxa", PASSWORDS["shopxa"], address, "require").rc == 0
    for user, database, tls in (
        ("shopxa", "shopxa", "disable"),
        ("shop_a", "shop_a", "require"),
        ("far", "shop_a", "require"),
        ("postgres", "postgres", "require"),
    ):
        result = sql(host, "SELECT 1", user, database, PASSWORDS.get(user, ""), address, tls)
        assert result.rc != 0, user
        assert "rejects connection" in result.stderr


def test_the_superuser_comes_in_over_the_socket_as_the_right_system_user_only(host):
    assert host.run("runuser -u postgres -- psql -Atc 'SELECT 1'").rc == 0
    assert "authentication failed" in host.run("runuser -u nobody -- psql -w -U postgres -Atc 'SELECT 1'").stderr
    assert sql(host, "SELECT 1", where="127.0.0.1").rc != 0


def test_rights_are_those_listed_and_no_more_also_on_what_comes_later(host):
    def as_(user, query):
        return sql(host, query, user, "shop_a", PASSWORDS[user])

    made = as_(
        "shop_a", "DROP TABLE IF EXISTS later, app.later; CREATE TABLE later (x serial); CREATE TABLE app.later (x serial)"
    )
    assert made.rc == 0, made.stderr
    assert as_("reader", "SELECT count(*) FROM later").stdout.strip() == "0"
    assert as_("reader", "INSERT INTO app.later DEFAULT VALUES; SELECT count(*) FROM app.later").stdout.strip() == "1"
    for query in (
        "INSERT INTO later VALUES (1)",
        "DELETE FROM app.later",
        "CREATE TABLE intruder (x int)",
        "CREATE TABLE app.intruder (x int)",
        "CREATE SCHEMA intruder",
    ):
        assert "permission denied" in as_("reader", query).stderr, query
    assert as_("shop_a", "DROP TABLE later, app.later").rc == 0


def test_nobody_but_the_superuser_has_attributes_or_memberships_that_nobody_gave_them(host):
    assert value(host, "string_agg(rolname, ' ') FROM pg_roles WHERE rolsuper OR rolcreaterole OR rolcreatedb") == "postgres"
    query = "string_agg(roleid::regrole || ' ' || member::regrole, ',' ORDER BY 1) FROM pg_auth_members"
    assert value(host, f"{query} WHERE member::regrole::text !~ '^pg_'") == "pg_monitor reader,staff reader"


def test_cluster_is_as_chosen(host):
    assert value(host, "current_setting('data_checksums')") == "on"
    rows = value(host, "string_agg(DISTINCT datcollate || ' ' || pg_encoding_to_char(encoding), ',') FROM pg_database")
    assert rows == "C.UTF-8 UTF8"
    assert value(host, "bool_and(rolpassword ~ '^SCRAM-SHA-256') FROM pg_authid WHERE rolpassword IS NOT NULL") == "t"


def test_every_value_of_the_files_is_what_the_server_runs_with(host, layout):
    """As far as the host's plan goes, the role itself compared them; here nothing stands between file and server."""
    assert value(host, "count(*) FROM pg_file_settings WHERE error IS NOT NULL") == "0"
    query = "count(*), count(*) FILTER (WHERE applied) FROM pg_file_settings WHERE sourcefile LIKE '%/conf.d/6%-lemp%'"
    total, applied = value(host, query).split("|")
    assert int(total) == int(applied) > 20
    shown = dict(re.findall(r"^(\w+) = '?(.*?)'?$", files(host, layout), re.M))
    for name in ("shared_buffers", "work_mem", "max_connections", "effective_cache_size", "max_wal_size", "jit", "huge_pages"):
        assert value(host, f"current_setting('{name}')") == shown[name], name
    assert value(host, "count(*) FROM pg_hba_file_rules WHERE error IS NOT NULL") == "0"


def test_systemd_holds_the_server_to_its_share(host, layout):
    limits = host.check_output(f"systemctl show -p MemoryMax,OOMScoreAdjust,LimitNOFILE {layout['service']}")
    assert "MemoryMax=infinity" not in limits
    assert "OOMScoreAdjust=-600" in limits


def test_statements_give_up_before_php_does(host):
    def of(user, setting):
        return sql(host, f"SHOW {setting}", user, user, PASSWORDS[user]).stdout.strip()

    assert (of("shop_a", "statement_timeout"), of("shop_a", "lock_timeout")) == ("1min", "50s")
    assert (of("shopxa", "statement_timeout"), of("shopxa", "lock_timeout")) == ("5s", "4s")
    assert "statement timeout" in sql(host, "SELECT pg_sleep(8)", "shopxa", "shopxa", PASSWORDS["shopxa"]).stderr
    assert value(host, "current_setting('statement_timeout')") == "0"


def test_slow_statements_are_logged_where_the_platform_rotates(host, layout):
    sql(host, "SELECT pg_sleep(0.5), 'quick enough'; ")
    sql(host, "SELECT pg_sleep(2.2), 'slow enough'")
    log = layout["log"] or f"{layout['data_dir']}/log/postgresql-{host.check_output('date +%a')}.log"
    content = host.file(log).content_string
    assert "slow enough" in content
    assert "quick enough" not in content
    if layout["log"]:
        rotated = host.run("logrotate -f /etc/logrotate.d/postgresql-common")
        assert rotated.rc == 0, rotated.stderr
        assert "slow enough" in host.file(f"{log}.1").content_string
        sql(host, "SELECT pg_sleep(2.2), 'after rotation'")
        assert "after rotation" in host.file(log).content_string
    else:
        assert (
            value(host, "current_setting('log_truncate_on_rotation') || current_setting('log_filename')")
            == "onpostgresql-%a.log"
        )


def test_what_statements_cost_is_collected(host):
    sql(host, "SELECT 4711 AS counted", "shop_a", "shop_a", PASSWORDS["shop_a"])
    assert int(value(host, "count(*) FROM pg_stat_statements WHERE query LIKE 'SELECT $1 AS counted'")) >= 1


def test_no_file_holds_a_password(host):
    for password in PASSWORDS.values():
        found = host.run(
            f"grep -rlFs -e {shlex.quote(password)} /etc /root /tmp /home /var/log /var/tmp /var/lib/pgsql /var/lib/lemp"
        )
        assert found.stdout == ""


def test_data_survive_a_restart(host, layout):
    assert sql(host, "CREATE TABLE IF NOT EXISTS kept AS SELECT 7 AS x", "shopxa", "shopxa", PASSWORDS["shopxa"]).rc == 0
    assert host.run(f"systemctl restart {layout['service']}").rc == 0
    assert value(host, "x FROM kept", "shopxa") == "7"


def test_a_second_run_changes_nothing(host):
    status, output = play()
    assert (status, "changed=0" in output) == (0, True), output
    assert "Accounts | Make" not in output


def test_a_rotated_password_is_taken_while_everybody_else_is_served(host):
    """The old one is refused, the new one accepted, nothing is restarted, and a session that was open stays so."""
    before, new = started_at(host), "new \\ 'one' {é}"
    answers, over = [], threading.Event()

    def serve():
        while not over.is_set():
            answers.append(sql(host, "SELECT 1", "shopxa", "shopxa", PASSWORDS["shopxa"], "127.0.0.1").rc)

    session = f"while sleep 1; do echo 'SELECT 1;'; done | psql -v ON_ERROR_STOP=1 -h {SOCKET} -U shop_a -d shop_a"
    secret = f"PGPASSWORD={shlex.quote(PASSWORDS['shop_a'])}"
    host.check_output(f"{secret} systemd-run -q --unit=open-session -E PGPASSWORD sh -c {shlex.quote(session)}")
    visitor = threading.Thread(target=serve)
    visitor.start()
    try:
        status, output = play("-vvv", "--diff", postgresql_users=users(password=new))
        assert status == 0, output
        assert leaked(output, new) == []
        assert "shop_a: gets its password" in words(output)
        assert "authentication failed" in sql(host, "SELECT 1", "shop_a", "shop_a", PASSWORDS["shop_a"]).stderr
        assert sql(host, "SELECT 1", "shop_a", "shop_a", new).rc == 0
        assert host.run("systemctl is-active open-session").rc == 0
    finally:
        over.set()
        visitor.join()
        host.run("systemctl stop open-session")
        status, output = play()
    assert status == 0, output
    assert answers
    assert set(answers) == {0}
    assert sql(host, "SELECT 1", "shop_a", "shop_a", PASSWORDS["shop_a"]).rc == 0
    assert started_at(host) == before


def test_undeclared_databases_and_roles_stay(host):
    sql(host, "CREATE ROLE me LOGIN CREATEDB")
    sql(host, "CREATE DATABASE mine OWNER me")
    status, output = play()
    assert (status, "changed=0" in output) == (0, True), output
    assert value(host, "rolcreatedb FROM pg_roles WHERE rolname = 'me'") == "t"
    sql(host, "DROP DATABASE mine")
    sql(host, "DROP ROLE me")


def test_whatever_was_done_by_hand_is_announced_and_undone(host):
    sql(
        host,
        "CREATE TABLE app.t (x int, y int); CREATE FUNCTION app.f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        database="shop_a",
    )
    by_hand = sql(
        host,
        "GRANT ALL ON DATABASE shop_a TO PUBLIC; ALTER ROLE shopxa SUPERUSER CONNECTION LIMIT 2; GRANT shop_a TO shopxa; "
        "ALTER ROLE shop_a SET statement_timeout = 0; GRANT CREATE ON SCHEMA app TO reader; "
        "GRANT DELETE ON app.t TO reader WITH GRANT OPTION; GRANT UPDATE (x) ON app.t TO reader; "
        "GRANT EXECUTE ON FUNCTION app.f TO reader; GRANT CREATE ON SCHEMA public TO PUBLIC; "
        "ALTER DEFAULT PRIVILEGES IN SCHEMA app GRANT TRUNCATE ON TABLES TO reader; ALTER ROLE reader PASSWORD 'x'",
        database="shop_a",
    )
    assert by_hand.rc == 0, by_hand.stderr
    try:
        status, output = play("--check", "--diff", "-vvv")
        assert status == 0, output
        for sentence in (
            "shop_a: is closed to everybody else",
            "shopxa: loses SUPERUSER",
            "shopxa: has any number of connections",
            "shopxa: is no longer a member of shop_a",
            "shop_a: statement_timeout is 60s",
            "shop_a: reader loses CREATE on schema app",
            "shop_a: reader loses DELETE, UPDATE on all tables in schema app",
            "shop_a: reader loses EXECUTE on all routines in schema app",
            "shop_a: nobody else makes objects in schema public",
            "shop_a: reader loses TRUNCATE on future tables of postgres in app",
            "reader: gets its password",
        ):
            assert sentence in words(output), sentence
        assert leaked(output) == []
        assert value(host, "rolsuper FROM pg_roles WHERE rolname = 'shopxa'") == "t"
    finally:
        status, output = play("--tags", "postgresql_accounts")
    assert status == 0, output
    test_nobody_but_the_superuser_has_attributes_or_memberships_that_nobody_gave_them(host)
    rights = "has_table_privilege('reader', 'app.t', 'DELETE'), has_column_privilege('reader', 'app.t', 'x', 'UPDATE'), "
    assert value(host, rights + "has_table_privilege('reader', 'app.t', 'SELECT')", "shop_a") == "f|f|t"
    sql(host, "DROP TABLE app.t; DROP FUNCTION app.f", database="shop_a")
    status, output = play()
    assert (status, "changed=0" in output) == (0, True), output


def test_what_a_dump_that_was_restored_as_the_superuser_brought_becomes_the_owners(host):
    """All that a site needs, but neither the extension's, nor what is in a schema that nobody listed."""

    def owners(query):
        return value(host, f"string_agg(DISTINCT {query}", "shop_a")

    restored = sql(
        host,
        "CREATE TYPE mood AS ENUM ('ok'); CREATE DOMAIN zip AS text; CREATE SEQUENCE \"Free one\"; CREATE SCHEMA by_hand; "
        "CREATE TABLE restored (id serial PRIMARY KEY, other int GENERATED ALWAYS AS IDENTITY, mood mood, zip zip); "
        "CREATE TABLE app.parts (x int) PARTITION BY RANGE (x); CREATE TABLE app.part PARTITION OF app.parts DEFAULT; "
        "CREATE VIEW seen AS SELECT * FROM restored; CREATE MATERIALIZED VIEW kept_rows AS SELECT 1 AS x; "
        "CREATE FUNCTION \"Twice\"(int, text) RETURNS int LANGUAGE sql AS 'SELECT 2 * $1'; "
        "CREATE PROCEDURE app.nothing() LANGUAGE sql AS ''; CREATE AGGREGATE app.total(int) (sfunc = int4pl, stype = int); "
        "CREATE FUNCTION may_more() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'; CREATE TABLE by_hand.t (x int)",
        database="shop_a",
    )
    assert restored.rc == 0, restored.stderr
    site = (
        "INSERT INTO restored (mood) VALUES ('ok'); ALTER TABLE restored ADD COLUMN more int; "
        "INSERT INTO app.parts VALUES (1); REFRESH MATERIALIZED VIEW kept_rows; SELECT nextval('\"Free one\"'); "
        "ALTER TYPE mood ADD VALUE 'better'; ALTER DOMAIN zip SET DEFAULT '1'; DROP FUNCTION \"Twice\"; "
        "DROP PROCEDURE app.nothing; DROP AGGREGATE app.total(int)"
    )
    site = [f"-c {shlex.quote(statement)}" for statement in site.split("; ")]
    site = f"PGPASSWORD={shlex.quote(PASSWORDS['shop_a'])} psql -wXq -v ON_ERROR_STOP=1 -h {SOCKET} -U shop_a {' '.join(site)}"
    assert "permission denied for table restored" in host.run(site).stderr
    status, output = play("--check")
    assert status == 0, output
    for sentence in (
        "shop_a: tables of postgres in schema public belong to shop_a (3)",
        "shop_a: sequences of postgres in schema public belong to shop_a (1)",
        "shop_a: types of postgres in schema public belong to shop_a (2)",
        "shop_a: functions of postgres in schema public belong to shop_a (1)",
        "shop_a: tables of postgres in schema app belong to shop_a (2)",
        "shop_a: functions of postgres in schema app belong to shop_a (2)",
    ):
        assert sentence in words(output), sentence
    assert "by_hand" not in output
    assert "permission denied" in host.run(site).stderr, "check mode changes nothing"
    status, output = play("--tags", "postgresql_accounts")
    assert status == 0, output
    done = host.run(site)
    assert done.rc == 0, done.stderr
    assert owners("proowner::regrole::text, ' ') FROM pg_proc WHERE proname IN ('similarity', 'may_more')") == "postgres"
    assert owners("relowner::regrole::text, ' ') FROM pg_class WHERE relname IN ('t', 'by_hand')") == "postgres"
    assert sql(host, "SELECT * FROM restored", "reader", "shop_a", PASSWORDS["reader"]).rc == 0
    status, output = play()
    assert (status, "changed=0" in output) == (0, True), output
    sql(
        host,
        "DROP VIEW seen; DROP MATERIALIZED VIEW kept_rows; DROP TABLE restored, app.parts; DROP TYPE mood, zip; "
        'DROP SEQUENCE "Free one"; DROP FUNCTION may_more; DROP SCHEMA by_hand CASCADE',
        database="shop_a",
    )


@pytest.fixture
def certificate(host, layout, address):
    """Fingerprint of the certificate that clients get."""

    def shown():
        file = f"{layout['tls_dir']}/lemp-server.pem"
        of_file = host.check_output(f"openssl x509 -noout -fingerprint -in {file}")
        served = f"openssl s_client -starttls postgres -connect {address}:5432 </dev/null 2>/dev/null"
        assert host.check_output(f"{served} | openssl x509 -noout -fingerprint") == of_file
        return of_file

    return shown


@pytest.mark.parametrize(
    ("days", "other"),
    [pytest.param(29, "", id="near its end"), pytest.param(3000, "DNS:elsewhere.example,", id="of other names")],
)
def test_the_servers_own_certificate_is_renewed_while_it_serves(host, layout, certificate, days, other):
    pem, key = (f"{layout['tls_dir']}/lemp-server.{end}" for end in ("pem", "key"))
    issuer = host.check_output(f"openssl x509 -noout -issuer -nameopt RFC2253 -in {pem}").split("=", 1)[1]
    names = host.check_output(f"openssl x509 -noout -ext subjectAltName -in {pem} | tail -n 1").replace(" ", "")
    host.check_output(
        f"openssl req -x509 -key {key} -subj /{issuer} -addext subjectAltName={other}{names} -days {days} -out {pem}"
    )
    host.check_output(f"systemctl reload {layout['service']}")
    before, since = certificate(), started_at(host)
    status, output = play("--check")
    assert (status, "changed=1" in output) == (0, True), output
    assert "the server signs itself a certificate for" in words(output)
    assert certificate() == before
    status, output = play()
    assert status == 0, output
    assert certificate() != before
    assert started_at(host) == since
    assert host.run(f"openssl x509 -noout -checkend {3000 * 86400} -in {pem}").rc == 0
    status, output = play()
    assert (status, "changed=0" in output) == (0, True), output


def test_a_given_certificate_is_served_and_leaves_no_trace_once_it_is_taken_away(host, layout, certificate):
    made = host.check_output(
        "openssl req -x509 -newkey rsa:2048 -nodes -days 9 -subj /CN=given.example -keyout - -out - 2>/dev/null"
    )
    key, pem = (part.strip() + "\n" for part in re.fullmatch(r"(.*?)(-----BEGIN CERTIFICATE.*)", made, re.S).groups())
    own = certificate()
    status, output = play("--diff", "-vvv", postgresql_tls_certificate_pem=pem, postgresql_tls_key_pem=key)
    assert status == 0, output
    assert leaked(output, key.splitlines()[1]) == []
    given = certificate()
    assert given != own
    status, output = play()
    assert status == 0, output
    assert certificate() not in (own, given)
    assert key.splitlines()[1] not in host.check_output(f"cat {layout['tls_dir']}/lemp-server.key")
    status, output = play()
    assert (status, "changed=0" in output) == (0, True), output


def test_a_stopped_server_is_announced_and_started(host, layout):
    assert host.run(f"systemctl stop {layout['service']}").rc == 0
    status, output = play("--check")
    assert (status, "changed=1" in output) == (0, True), output
    assert not host.service(layout["service"]).is_running
    status, output = play()
    assert (status, "changed=1" in output) == (0, True), output
    test_service_runs_now_and_at_boot(host, layout)


@pytest.mark.parametrize(
    ("inputs", "complaint"),
    [
        ({"postgresql_extra_settings": {"no_such_setting": 1}}, 'unrecognized configuration parameter "no_such_setting"'),
        ({"postgresql_extra_settings": {"wal_level": "enough"}}, 'invalid value for parameter "wal_level"'),
        ({"postgresql_preload_libraries": ["no_such_library"]}, 'could not access file "no_such_library"'),
        ({"postgresql_extra_hba_rules": ["host all all 10.0.0.0/8 trusted"]}, 'invalid authentication method "trusted"'),
    ],
)
def test_server_refuses_bad_configuration_before_a_file_changes_and_in_check_mode_too(host, layout, inputs, complaint):
    content, before = files(host, layout), started_at(host)
    status, output = play(*(["--check"] if "no_such" in complaint else []), **inputs)
    assert status != 0
    assert complaint in words(output).replace('\\"', '"'), output
    assert "nothing was changed" in words(output)
    assert (files(host, layout), started_at(host)) == (content, before)


def test_a_configuration_that_does_not_start_is_put_back(host, layout):
    content = files(host, layout)
    host.check_output("systemd-run --quiet --unit=squatter python3 -m http.server --bind 127.0.0.1 3399")
    try:
        host.check_output("timeout 10 sh -c 'until ss -Hltn sport = 3399 | grep -q LISTEN; do sleep 0.1; done'")
        status, output = play(postgresql_port=3399, postgresql_listen_addresses=["127.0.0.1"])
    finally:
        host.run("systemctl stop squatter")
    assert status != 0
    assert "put back" in words(output), output
    assert files(host, layout) == content
    test_service_runs_now_and_at_boot(host, layout)
    assert value(host, "x FROM kept", "shopxa") == "7"
    status, output = play()
    assert (status, "changed=0" in output) == (0, True), output


def test_a_value_that_another_place_overrides_is_named(host):
    sql(host, "ALTER SYSTEM SET work_mem = '77MB'")
    sql(host, "SELECT pg_reload_conf()")
    try:
        status, output = play()
    finally:
        sql(host, "ALTER SYSTEM RESET work_mem")
        sql(host, "SELECT pg_reload_conf()")
    assert status != 0
    assert re.search(r"work_mem is 78848 kB instead of \d+ bytes", words(output)), output


def test_a_setting_is_taken_over_by_a_reload_where_that_is_enough_and_by_a_restart_where_not(host):
    before = started_at(host)
    status, output = play("--check", "--diff", postgresql_extra_settings={"track_io_timing": True})
    assert (status, "changed=1" in output) == (0, True), output
    assert "+track_io_timing = 'on'" in output
    assert play(postgresql_extra_settings={"track_io_timing": True})[0] == 0
    assert value(host, "current_setting('track_io_timing')") == "on"
    assert started_at(host) == before
    assert play(postgresql_max_connections=40)[0] == 0
    assert value(host, "current_setting('max_connections') || current_setting('track_io_timing')") == "40off"
    assert started_at(host) != before
    assert play()[0] == 0


def test_a_server_that_is_killed_during_a_run_loses_no_committed_row_and_the_next_run_repairs(host, layout):
    sql(host, "DROP TABLE IF EXISTS rows; CREATE TABLE rows (x int)", "shop_a", "shop_a", PASSWORDS["shop_a"])
    confirmed, over = [], threading.Event()

    def write():
        number = 0
        while not over.is_set():
            number += 1
            if sql(host, f"INSERT INTO rows VALUES ({number})", "shop_a", "shop_a", PASSWORDS["shop_a"]).rc == 0:
                confirmed.append(number)

    writer = threading.Thread(target=write)
    writer.start()
    with playing(postgresql_max_connections=41) as run:
        for line in run.stdout:
            if "Configure | Change" in line:
                pid = host.check_output(f"systemctl show -P MainPID {layout['service']}")
                host.run(f"kill -KILL {pid}")
        run.wait()
    status, output = play()
    over.set()
    writer.join()
    assert status == 0, output
    assert confirmed
    stored = set(map(int, value(host, "string_agg(x::text, ' ') FROM rows", "shop_a").split()))
    assert set(confirmed) <= stored
    status, output = play()
    assert (status, "changed=0" in output) == (0, True), output
    sql(host, "DROP TABLE rows", database="shop_a")


@pytest.fixture(scope="module")
def pooled(host, layout):
    """Inputs that have the first database pooled, as the host is for these tests, or is not, where PgBouncer is too old."""
    inputs = {"postgresql_databases": [{**ROLE_VARS["postgresql_databases"][0], "pooled": True}]}
    inputs["postgresql_databases"] += ROLE_VARS["postgresql_databases"][1:]
    offered = host.check_output(layout["pooler_offered_command"]).strip()
    numbers = [int(part) for part in offered.split(".")] if offered else [0]
    status, output = play(**inputs)
    if numbers < [1, 21]:
        assert status != 0
        assert "pooled, which takes PgBouncer 1.21 or newer, but this host" in words(output), output
        assert "changed=0" in output
        pytest.skip(f"PgBouncer here: {offered or 'none'}")
    assert status == 0, output
    return inputs


@pytest.mark.parametrize("where", [SOCKET, "127.0.0.1"])
def test_the_pooler_lets_in_who_may_enter_a_pooled_database_and_nobody_else(host, pooled, where):
    def as_(user, database, password):
        return sql(host, "SELECT current_user", user, database, password, where, port=6432)

    for user in ("shop_a", "reader"):
        result = as_(user, "shop_a", PASSWORDS[user])
        assert (result.rc, result.stdout.strip()) == (0, user), result.stderr
    host.check_output("psql -U postgres -c \"ALTER ROLE postgres PASSWORD 'super-Secret-1'\"")
    try:
        for user, database, password in (
            ("shop_a", "shop_a", "wrong"),
            ("shop_a", "shop_a", ""),
            ("shopxa", "shop_a", PASSWORDS["shopxa"]),
            ("far", "shop_a", PASSWORDS["far"]),
            ("shopxa", "shopxa", PASSWORDS["shopxa"]),
            ("postgres", "shop_a", "super-Secret-1"),
            ("postgres", "shop_a", ""),
            ("pgbouncer", "pgbouncer", ""),
            ("nobody", "shop_a", "wrong"),
        ):
            assert as_(user, database, password).rc != 0, user
    finally:
        host.check_output('psql -U postgres -c "ALTER ROLE postgres PASSWORD NULL"')


def test_the_pooler_does_not_listen_beyond_loopback(host, pooled):
    sockets = host.check_output("ss -Hltn sport = 6432").splitlines()
    assert [line.split()[3] for line in sockets] == ["127.0.0.1:6432"]


def test_many_clients_with_prepared_statements_share_the_connections_of_the_pool(host, pooled, layout):
    size = host.check_output("sed -n 's/^max_db_connections = //p' /etc/pgbouncer/lemp-databases.ini")
    assert int(size) < 20
    host.check_output("echo 'SELECT :client_id, pg_sleep(0.01);' >/tmp/pgbench.sql")
    secret = f"PGPASSWORD={shlex.quote(PASSWORDS['shop_a'])}"
    bench = f"{layout['bin_dir']}/pgbench -n -M prepared -c 20 -T 6 -f /tmp/pgbench.sql -h {SOCKET} -p 6432 -U shop_a shop_a"
    host.check_output(f"{secret} systemd-run -q --unit=bench -E PGPASSWORD sh -c '{bench} >/tmp/pgbench.out 2>&1'")
    seen = []
    while host.run("systemctl is-active bench").rc == 0:
        seen.append(
            int(value(host, "count(*) FROM pg_stat_activity WHERE datname = 'shop_a' AND backend_type = 'client backend'"))
        )
    report = host.file("/tmp/pgbench.out").content_string
    assert "number of failed transactions: 0" in report, report
    assert int(re.search(r"transactions actually processed: (\d+)", report)[1]) > 200
    assert 1 < max(seen) <= int(size)


def test_statements_that_php_prepares_and_forgets_work_inside_a_transaction(host, pooled):
    script = (
        "$db = new PDO('pgsql:host=/run/postgresql;port=6432;dbname=shop_a', 'shop_a', getenv('PW'), "
        "[PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION]); $db->beginTransaction(); "
        "$sum = 0; foreach ([20, 22] as $part) { $s = $db->prepare('SELECT ?::int'); $s->execute([$part]); "
        "$sum += $s->fetchColumn(); unset($s); } $db->commit(); echo $sum;"
    )
    result = host.run(f"PW={shlex.quote(PASSWORDS['shop_a'])} php -r {shlex.quote(script)}")
    assert (result.rc, result.stdout) == (0, "42"), result.stderr


def test_rights_that_are_taken_away_end_with_the_connections_that_had_them(host, pooled):
    def as_reader():
        return sql(host, "SELECT 1", "reader", "shop_a", PASSWORDS["reader"], port=6432).rc

    assert as_reader() == 0
    closed = copy.deepcopy(ROLE_VARS["postgresql_users"])
    reader = next(user for user in closed if user["name"] == "reader")
    reader |= {"client_hosts": ["192.0.2.7"]}
    try:
        status, output = play(**pooled, postgresql_users=closed)
        assert status == 0, output
        assert as_reader() != 0
    finally:
        assert play(**pooled)[0] == 0
    assert as_reader() == 0


def test_a_pooler_that_was_killed_is_back_at_once(host, pooled):
    pid = host.check_output("systemctl show -P MainPID pgbouncer")
    host.check_output(f"kill -KILL {pid}")
    host.check_output("timeout 20 sh -c 'until ss -Hltn sport = 6432 | grep -q LISTEN; do sleep 0.2; done'")
    assert host.check_output("systemctl show -P MainPID pgbouncer") != pid
    assert sql(host, "SELECT 1", "shop_a", "shop_a", PASSWORDS["shop_a"], port=6432).rc == 0


def test_a_second_run_with_a_pooler_changes_nothing(pooled):
    for options in (["--check"], []):
        status, output = play(*options, **pooled)
        assert (status, "changed=0" in output) == (0, True), output


def test_the_pooler_takes_a_rotated_password_and_another_size_without_a_restart(host, pooled):
    def as_shop(password):
        return sql(host, "SELECT 1", "shop_a", "shop_a", password, port=6432).rc

    before = host.check_output("systemctl show -P MainPID pgbouncer")
    assert as_shop(PASSWORDS["shop_a"]) == 0
    status, output = play(**pooled, postgresql_users=users(password="new-Secret-1"), postgresql_pool_size=3)
    try:
        assert status == 0, output
        assert (as_shop(PASSWORDS["shop_a"]) != 0, as_shop("new-Secret-1")) == (True, 0)
        assert host.check_output("systemctl show -P MainPID pgbouncer") == before
    finally:
        assert play(**pooled)[0] == 0
    assert as_shop(PASSWORDS["shop_a"]) == 0


def test_pools_that_are_larger_than_the_server_are_refused_before_any_change(pooled):
    status, output = play(**pooled, postgresql_max_connections=30, postgresql_pool_size=50)
    assert status != 0
    assert "max_connections of postgresql is 30, but extra clients and pools and administration need 63" in words(output), (
        output
    )
    assert "changed=0" in output


def test_a_pooler_that_no_database_needs_any_more_is_stopped(host, pooled):
    status, output = play("--check")
    assert (status, host.service("pgbouncer").is_running) == (0, True), output
    assert play()[0] == 0
    assert not host.service("pgbouncer").is_running
    assert not host.service("pgbouncer").is_enabled
    status, output = play()
    assert (status, "changed=0" in output) == (0, True), output


def test_all_that_is_bad_is_told_at_once_and_before_any_change():
    wrong = [
        *users(
            databases=["shopxa", "shop"], privileges=[{"database": "shopxa", "tables": ["SELCT"]}], client_hosts=["web.lan"]
        ),
        {"name": "reader", "password": "another-Secret-1"},
        {"name": "postgres"},
    ]
    status, output = play(
        "-vvv",
        postgresql_users=wrong,
        postgresql_databases=[*ROLE_VARS["postgresql_databases"], {"name": 'a"b', "owner": "b"}],
        postgresql_max_connections=3,
        postgresql_extra_settings={"port": 5433},
    )
    assert status != 0
    said = words(output).replace('\\"', '"')
    for sentence in (
        "postgresql_users lists reader more than once",
        "postgresql_users: postgres has no password; set it",
        'postgresql_users grants "SELCT", which is no right on tables',
        "lets users into shop, but postgresql_databases lists only",
        'lets in clients from "web.lan"; use localhost',
        'postgresql_users contains the name "postgres"',
        "postgresql_databases contains the name",
        'gives databases to "b"',
        "postgresql_max_connections is 3; use a number from 12 to",
        "postgresql_extra_settings sets port; use the role's own input",
    ):
        assert sentence in said, sentence
    assert leaked(output, "another-Secret-1") == []
    assert "changed=0" in output
    assert "Install | " not in output


def test_a_size_that_the_host_does_not_have_is_refused_before_any_change():
    status, output = play(postgresql_shared_buffers_mb=4096)
    assert (status != 0, "changed=0" in output) == (True, True)
    assert "shared_buffers_mb of postgresql is 4096, which is more than 40 %" in words(output)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (
            {"postgresql_databases": [{"name": "shop_a", "owner": "shop_a", "extensions": ["no_such"]}]},
            "wants the extension no_such, which is not in .*; correct its name, or name the package",
        ),
        ({"postgresql_locale": "xx_YY.UTF-8"}, "is xx_YY.utf8, which this host does not have"),
    ],
)
def test_what_the_host_does_not_have_is_refused_before_anything_of_the_server_changes(host, layout, given, sentence):
    content = files(host, layout)
    given = {"postgresql_users": users(databases=None)[:2], **given} if "postgresql_databases" in given else given
    status, output = play(**given)
    assert status != 0
    assert re.search(sentence, words(output)), output
    assert "changed=0" in output
    assert files(host, layout) == content


def test_data_of_another_version_are_refused_and_stay_untouched(host, layout):
    file = f"{layout['data_dir']}/PG_VERSION"
    right = host.check_output(f"cat {file}")
    # A running server does not look at it again.
    host.check_output(f"echo 9 >{file}")
    try:
        status, output = play()
    finally:
        host.check_output(f"echo {right} >{file}")
    assert status != 0
    assert re.search(
        r"the data are of PostgreSQL 9, but this host has \d+; run lemp.stack.upgrade_postgresql", words(output)
    ), output
    assert "changed=0" in output
    assert play()[0] == 0
