"""``complete``: what a site means when little is written, and what is refused with which sentence."""

from __future__ import annotations

import copy
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.lemp.stack.plugins.module_utils._site import (
    APPS,
    DATABASE_PRIVILEGES,
    RESERVED_NAMES,
    SITE_KEYS,
    SiteError,
    complete,
)

SECRET = "s3cret-never-shown"
CERTIFICATE = f"-----BEGIN CERTIFICATE-----\n{SECRET}\n-----END CERTIFICATE-----\n"
KEY = f"-----BEGIN PRIVATE KEY-----\n{SECRET}\n-----END PRIVATE KEY-----\n"


def php(**keys: Any) -> dict[str, Any]:
    return {"name": "shop", "domains": ["shop.example.org"], **keys}


def wordpress(database: dict[str, Any] | None = None, blog: dict[str, Any] | None = None, **keys: Any) -> dict[str, Any]:
    return {
        "name": "blog",
        "domains": ["blog.example.org"],
        "app": "wordpress",
        "wordpress": {
            "title": "Blog",
            "admin_user": "anna",
            "admin_email": "anna@example.org",
            "admin_password": SECRET,
            **(blog or {}),
        },
        "database": {"password": SECRET, **(database or {})},
        **keys,
    }


def postgresql(**database: Any) -> dict[str, Any]:
    return php(database={"engine": "postgresql", "password": SECRET, **database})


def redis(**cache: Any) -> dict[str, Any]:
    return php(cache={"engine": "redis", "password": SECRET, **cache})


def memcached(**cache: Any) -> dict[str, Any]:
    return php(cache={"engine": "memcached", **cache})


def proxy(**keys: Any) -> dict[str, Any]:
    return {"name": "api", "domains": ["api.example.org"], "kind": "proxy", "proxy": {"url": "http://127.0.0.1:9000"}, **keys}


def only(site: dict[str, Any]) -> dict[str, Any]:
    [completed] = complete([site])
    return completed


def test_no_sites_are_fine() -> None:
    assert complete([]) == []


def test_a_name_and_a_domain_are_enough() -> None:
    assert only(php()) == {
        "name": "shop",
        "user": "shop",
        "home": "/srv/www/shop",
        "domains": ["shop.example.org"],
        "url": "https://shop.example.org",
        "kind": "php",
        "app": None,
        "root": "/srv/www/shop/public",
        "wordpress": None,
        "php": {
            "version": "",
            "application": "php",
            "worker_memory_mb": None,
            "max_children": None,
            "weight": 1,
            "memory_limit_mb": 256,
            "max_execution_time_seconds": 60,
            "extensions": [],
            "settings": {},
            "env": None,
        },
        "database": None,
        "cache": None,
        "tls": {
            "issuer": "selfsigned",
            "certificate_pem": None,
            "key_pem": None,
            "certificate": "/etc/ssl/lemp/shop/fullchain.pem",
            "key": "/etc/ssl/lemp/shop/privkey.pem",
        },
        "nginx": {
            "client_max_body_size_mb": 64,
            "hsts_max_age_seconds": 0,
            "static_max_age_seconds": 604800,
            "upload_paths": [],
        },
        "proxy": None,
    }


def test_wordpress_brings_what_it_needs() -> None:
    site = only(wordpress())
    assert site["root"] == "/usr/share/wordpress"
    assert site["php"]["application"] == "wordpress"
    assert site["nginx"]["upload_paths"] == ["/wp-content/uploads/"]
    assert site["wordpress"] == {
        "title": "Blog",
        "admin_user": "anna",
        "admin_email": "anna@example.org",
        "admin_password": SECRET,
        "language": "en_US",
        "source": "package",
        "archive_url": None,
        "archive_checksum": None,
        "table_prefix": "wp_",
        "file_mods": False,
    }
    assert site["database"] == {
        "engine": "mariadb",
        "name": "blog",
        "user": "blog",
        "password": SECRET,
        "host": "localhost",
        "client_hosts": ["localhost"],
        "pooled": False,
    }


def test_wordpress_from_an_archive_lives_in_the_home_of_the_site() -> None:
    archive = {"source": "archive", "archive_url": "https://wordpress.org/x.tar.gz", "archive_checksum": "sha256:" + "a" * 64}
    assert only(wordpress(blog=archive))["root"] == "/srv/www/blog/public"


def test_a_static_site_has_neither_php_nor_a_database() -> None:
    site = only({"name": "docs", "domains": ["docs.example.org"], "kind": "static"})
    assert (site["php"], site["database"], site["proxy"], site["root"]) == (None, None, None, "/srv/www/docs/public")


def test_a_proxy_waits_a_minute_unless_told() -> None:
    assert only(proxy())["proxy"] == {"url": "http://127.0.0.1:9000", "timeout_seconds": 60}


def test_a_certificate_from_files_promises_https_for_two_years() -> None:
    site = only(php(tls={"issuer": "files", "certificate_pem": CERTIFICATE, "key_pem": KEY}))
    assert site["nginx"]["hsts_max_age_seconds"] == 63072000
    assert site["tls"]["certificate_pem"] == CERTIFICATE


def test_hsts_can_be_decided_by_hand() -> None:
    assert only(php(nginx={"hsts_max_age_seconds": 300}))["nginx"]["hsts_max_age_seconds"] == 300


def test_a_trailing_slash_of_root_is_dropped() -> None:
    assert only(php(root="/srv/www/other/web/"))["root"] == "/srv/www/other/web"


def test_app_php_serves_the_named_directory() -> None:
    assert only(php(app="php", root="/opt/app/public"))["root"] == "/opt/app/public"


def test_url_may_carry_a_port() -> None:
    assert only(php(url="https://shop.example.org:8443"))["url"] == "https://shop.example.org:8443"


@pytest.mark.parametrize(
    "url", ["http://10.0.0.1:80", "https://backend.internal", "http://[::1]:9000", "http://unix:/run/a.sock"]
)
def test_these_proxy_addresses_are_fine(url: str) -> None:
    assert only(proxy(proxy={"url": url}))["proxy"]["url"] == url


def test_a_remote_database_names_its_clients() -> None:
    site = only(wordpress(database={"host": "db.internal", "client_hosts": ["10.0.0.%", "web1"]}))
    assert site["database"]["client_hosts"] == ["10.0.0.%", "web1"]


def test_postgresql_matches_its_clients_by_address() -> None:
    clients = ["localhost", "10.0.0.5", "10.0.0.0/24", "fd00::/64"]
    assert only(postgresql(host="10.0.0.2", client_hosts=clients))["database"] == {
        "engine": "postgresql",
        "name": "shop",
        "user": "shop",
        "password": SECRET,
        "host": "10.0.0.2",
        "client_hosts": clients,
        "pooled": False,
    }


def test_a_cache_is_on_the_same_host_and_for_nothing_else_unless_told() -> None:
    assert only(redis())["cache"] == {
        "engine": "redis",
        "password": SECRET,
        "host": "localhost",
        "ca": None,
        "sessions": False,
        "queue": False,
    }
    assert only(memcached())["cache"]["password"] is None


def test_variables_are_only_for_sites_that_ask() -> None:
    def env(**keys: Any) -> Any:
        return only(php(**keys))["php"]["env"]

    assert (env(), env(php={"env": False}), env(php={"env": True}), env(php={"env": {}})) == (None, None, {}, {})
    assert env(php={"env": {"APP_ENV": "production", "APP_DEBUG": False, "N": 3}}) == {
        "APP_ENV": "production",
        "APP_DEBUG": "false",
        "N": "3",
    }


def test_a_password_may_begin_with_a_dollar_where_it_goes_into_no_variable() -> None:
    assert only(redis(password=f"${SECRET}"))["cache"]["password"] == f"${SECRET}"


def test_what_the_user_wrote_is_left_alone() -> None:
    sites = [wordpress(nginx={"upload_paths": ["/files/"]}), php(php={"settings": {"a.b": 1}, "extensions": ["gd"]})]
    before = copy.deepcopy(sites)
    completed = complete(sites)
    completed[0]["nginx"]["upload_paths"].append("x")
    completed[0]["domains"].append("x")
    completed[1]["php"]["settings"]["x"] = 1
    completed[1]["php"]["extensions"].append("x")
    assert sites == before


def test_completing_twice_gives_the_same() -> None:
    assert complete([wordpress(), php()]) == complete([wordpress(), php()])


def test_accounts_of_sites_cannot_hand_on_their_rights() -> None:
    assert not {"ALL", "ALL PRIVILEGES", "GRANT OPTION", "SUPER", "FILE", "PROCESS"} & set(DATABASE_PRIVILEGES)


@pytest.mark.parametrize("key", ["php", "database", "wordpress", "proxy"])
def test_what_does_not_apply_is_none_and_never_missing(key: str) -> None:
    [static] = complete([{"name": "docs", "domains": ["docs.example.org"], "kind": "static"}])
    assert static[key] is None


BAD: list[tuple[Any, str]] = [
    # shape
    ("shop", "lemp_sites is a string, but must be a list of sites"),
    ({"name": "shop"}, "but must be a list of sites, each with a name and domains"),
    (None, "lemp_sites is None, but must be a list of sites"),
    (["shop"], "lemp_sites[0] is a string, but must be a dictionary with a name and domains"),
    ([php(), 7], "lemp_sites[1] is 7, but must be a dictionary"),
    # unknown keys, at every level
    ([php(domain=["x.org"])], "lemp_sites[0] (shop): unknown key domain; did you mean domains?"),
    ([php(databse={})], "unknown key databse; did you mean database?"),
    ([php(php={"max_childs": 3})], "unknown key php.max_childs; did you mean php.max_children?"),
    ([php(database={"pasword": SECRET})], "unknown key database.pasword; did you mean database.password?"),
    ([php(tls={"isuer": "files"})], "unknown key tls.isuer; did you mean tls.issuer?"),
    (
        [php(nginx={"client_max_body_size": 8})],
        "unknown key nginx.client_max_body_size; did you mean nginx.client_max_body_size_mb?",
    ),
    ([proxy(proxy={"adress": "http://a"})], "unknown key proxy.adress; known keys are timeout_seconds, url."),
    ([wordpress(blog={"tilte": "x"})], "unknown key wordpress.tilte; did you mean wordpress.title?"),
    ([php(zzz=1)], "unknown key zzz; known keys are app, cache, database"),
    ([php(**{"1": 1})], "unknown key 1; known keys are"),
    # types
    ([php(name=7)], "name is 7, but must be a string (quote it)."),
    ([php(domains="shop.example.org")], "domains is 'shop.example.org', but must be a list of strings."),
    ([php(domains=[7])], "domains is [7], but must be a list of strings."),
    ([php(php={"version": 8.4})], "php.version is 8.4, but must be a string (quote it)."),
    ([php(php={"max_children": "4"})], "php.max_children is '4', but must be a whole number."),
    ([php(php={"max_children": True})], "php.max_children is True, but must be a whole number."),
    ([php(php={"weight": 1.5})], "php.weight is 1.5, but must be a whole number."),
    ([php(php=[])], "php is a list, but must be a dictionary."),
    ([php(tls=None)], "tls is None, but must be a dictionary."),
    ([php(php={"settings": ["a"]})], "php.settings is ['a'], but must be a dictionary."),
    ([php(database={"password": 12345})], "database.password is not shown, but must be a string (quote it)."),
    # names
    ([{"domains": ["a.org"]}], "lemp_sites[0]: name is missing; give the site a short name"),
    ([php(name="")], "name is '', but a Unix user, a database and files are named after it"),
    ([php(name="Shop")], "name is 'Shop', but a Unix user, a database and files are named after it"),
    ([php(name="my-shop")], "use 1 to 31 lower-case letters, digits or _, beginning with a letter"),
    ([php(name="a" * 32)], "use 1 to 31 lower-case letters"),
    ([php(name="shop\n")], "but a Unix user, a database and files are named after it"),
    ([php(name="root")], "name 'root' belongs to the operating system or the database; choose another name."),
    ([php(name="mysql")], "name 'mysql' belongs to the operating system or the database"),
    ([php(user="An na")], "user is 'An na', which cannot be used; use lower-case letters, digits, _ and -."),
    # domains and url
    ([{"name": "shop"}], "domains is missing or empty; list at least one domain, the canonical one first."),
    ([php(domains=[])], "domains is missing or empty"),
    (
        [php(domains=["Shop.example.org"])],
        "domains contains 'Shop.example.org', which is no domain name; write it in lower case",
    ),
    ([php(domains=["https://shop.example.org"])], "which is no domain name"),
    ([php(domains=["shop.example.org:80"])], "without scheme, port or path"),
    ([php(domains=["shop"])], "domains contains 'shop', which is no domain name"),
    ([php(domains=["bücher.example"])], "internationalised names in Punycode"),
    ([php(domains=["a.org; return 200"])], "which is no domain name"),
    ([php(url="http://shop.example.org")], "url is 'http://shop.example.org', but must be https:// and the first domain"),
    ([php(url="https://other.example.org")], "but must be https:// and the first domain (shop.example.org)"),
    ([php(url="https://shop.example.org/blog")], "and without a path"),
    ([php(url="https://shop.example.org:99999")], "with a port where visitors use another one than 443"),
    ([php(domains=["a.org", "a.org"])], "lemp_sites (shop): domain 'a.org' is listed twice; list it once."),
    # kind and app
    ([php(kind="perl")], "kind is 'perl', but must be one of php, static, proxy."),
    ([php(app="drupal")], "app is 'drupal', but must be one of wordpress, php."),
    ([wordpress(kind="static")], "kind is 'static', but app wordpress needs PHP; leave kind out or remove app."),
    ([php(kind="static", php={})], "php is set, but the site is of kind static without an app; remove php"),
    ([php(proxy={"url": "http://a"})], "proxy is set, but the site is of kind php without an app; remove proxy"),
    ([php(wordpress={"title": "x"})], "wordpress is set, but the site is of kind php without an app"),
    ([php(app="php")], "app php serves an existing directory; name it in root"),
    ([php(root="public")], "root is 'public', which cannot be used; write an absolute path without blanks."),
    ([php(root="/srv/www/../../etc")], "name a directory of its own at least two levels below /"),
    ([php(root="/srv")], "root is '/srv'; name a directory of its own at least two levels below /."),
    ([wordpress(root="/srv/x/y")], "root is set, but app wordpress decides its own document root; remove root."),
    # numbers
    ([php(php={"max_children": 0})], "php.max_children is 0, but must lie between 1 and 10000."),
    ([php(php={"worker_memory_mb": -1})], "php.worker_memory_mb is -1, but must lie between 4 and 65536."),
    ([php(php={"weight": 0})], "php.weight is 0, but must lie between 1 and 1000."),
    ([php(php={"memory_limit_mb": 1})], "php.memory_limit_mb is 1, but must lie between 16 and 65536."),
    ([php(php={"max_execution_time_seconds": 0})], "php.max_execution_time_seconds is 0, but must lie between 1 and 86400."),
    ([php(nginx={"client_max_body_size_mb": 0})], "nginx.client_max_body_size_mb is 0, but must lie between 1 and 102400."),
    ([proxy(proxy={"url": "http://a", "timeout_seconds": 0})], "proxy.timeout_seconds is 0, but must lie between"),
    # php
    ([php(php={"version": "8"})], "php.version is '8', which cannot be used; write major.minor in quotes"),
    ([php(php={"settings": {"a": "1\nauto_prepend_file=x"}})], "use php.ini names and plain values"),
    ([php(php={"settings": {"a;b": 1}})], "php.settings has 'a;b' set to 1; use php.ini names and plain values."),
    ([php(php={"settings": {"a": [1]}})], "php.settings has 'a' set to [1]; use php.ini names and plain values."),
    # wordpress
    ([wordpress(blog={"admin_password": ""})], "wordpress.admin_password is missing; take it from a vault."),
    ([wordpress(blog={"title": ""})], "wordpress.title is missing; WordPress cannot be installed without it."),
    ([wordpress(blog={"admin_email": "anna"})], "wordpress.admin_email is 'anna', which is no e-mail address."),
    ([wordpress(blog={"source": "git"})], "wordpress.source is 'git', but must be one of package, archive."),
    ([wordpress(blog={"source": "archive"})], "which needs wordpress.archive_url and wordpress.archive_checksum"),
    ([wordpress(blog={"archive_checksum": "md5:1"})], "wordpress.archive_checksum is 'md5:1', which cannot be used"),
    (
        [wordpress(blog={"table_prefix": "a-b"})],
        "wordpress.table_prefix is 'a-b', which cannot be used; use letters, digits and _.",
    ),
    # database
    ([wordpress(database={"password": ""})], "database.password is missing; set it, best from a vault."),
    ([php(database={})], "database.password is missing; set it, best from a vault."),
    (
        [php(database={"password": f"{SECRET}\n"})],
        "database.password contains a control character; use printable characters only.",
    ),
    ([wordpress(database={"engine": "oracle"})], "database.engine is 'oracle', but must be one of mariadb, postgresql."),
    ([wordpress(database={"name": "a-b"})], "database.name is 'a-b', which cannot be used; use up to 64 letters"),
    ([wordpress(database={"name": "mysql"})], "database.name 'mysql' belongs to the server; choose another name."),
    ([wordpress(database={"user": "root"})], "database.user 'root' is an administrator of the server; choose another name."),
    ([wordpress(database={"host": "a b"})], "database.host is 'a b', which cannot be used; use a host name or an address."),
    ([wordpress(database={"host": "db"})], "list in database.client_hosts the addresses it connects from."),
    (
        [wordpress(database={"client_hosts": ["a b"]})],
        "database.client_hosts contains 'a b'; use host names, addresses or a.b.c.%.",
    ),
    (
        [wordpress(database={"host": "db", "client_hosts": ["10.0.0.%", "10.0.0.0/24"]})],
        "database.client_hosts contains '10.0.0.0/24', which MariaDB matches with nobody; write a network as 10.0.0.% or",
    ),
    (
        [wordpress(database={"engine": "postgresql"})],
        "database.engine is 'postgresql', but WordPress needs mariadb; remove database.engine.",
    ),
    ([postgresql(name="a" * 64)], "database.name is 'aaaaaaaa"),
    ([postgresql(name="template1")], "database.name 'template1' belongs to the server; choose another name."),
    ([postgresql(user="postgres")], "database.user 'postgres' is an administrator of the server; choose another name."),
    ([postgresql(user="pg_x")], "database.user 'pg_x' is an administrator of the server"),
    ([php(name="public", database={"engine": "postgresql", "password": SECRET})], "database.user 'public' is an administrator"),
    (
        [postgresql(host="db", client_hosts=["10.0.0.%"])],
        "database.client_hosts contains '10.0.0.%', which PostgreSQL cannot match; use localhost, an address or a network",
    ),
    ([postgresql(client_hosts=["10.0.0.1/24"])], "which PostgreSQL cannot match"),
    (
        [php(database={"password": SECRET, "pooled": True})],
        "database.pooled is set, but the pooler is PgBouncer on the host of",
    ),
    ([postgresql(host="10.0.0.2", client_hosts=["10.0.0.3"], pooled=True)], "database.pooled is set, but"),
    ([postgresql(client_hosts=["10.0.0.3"], pooled=True)], "database.pooled is set, but"),
    # cache
    ([php(cache={})], "cache.engine is missing; write redis or memcached, or remove cache."),
    ([php(cache={"engine": "apcu"})], "cache.engine is 'apcu', but must be one of redis, memcached."),
    ([php(cache={"engine": "redis"})], "cache.password is missing; set it, best from a vault."),
    ([redis(password="change-me-7")], "cache.password is still the example's; choose one of your own, best in a vault."),
    ([redis(password=f"{SECRET}\t")], "cache.password contains a control character; use printable characters only."),
    ([redis(host="a b")], "cache.host is 'a b', which cannot be used; use a host name or an address."),
    ([redis(sesions=True)], "unknown key cache.sesions; did you mean cache.sessions?"),
    (
        [php(kind="static", cache={"engine": "memcached"})],
        "cache is set, but the site is of kind static without an app; remove cache.",
    ),
    ([{**redis(), "name": "default"}], "name 'default' is that of Redis' own account; choose another name, or remove cache."),
    (
        [memcached(password=SECRET)],
        "cache.password is set, but memcached has no accounts; use redis, or remove cache.password.",
    ),
    (
        [memcached(sessions=True)],
        "cache.sessions is set, but memcached has no accounts, so that other sites could read them; use redis",
    ),
    ([memcached(queue=True)], "cache.queue is set, but memcached forgets what it holds; use redis, or remove cache.queue."),
    ([redis(ca="/etc/ssl/ca.pem", host="::1")], "cache.ca is set, but TLS is for a Redis on another host; set cache.host"),
    ([redis(ca="ca.pem", host="db")], "cache.ca is 'ca.pem', which cannot be used; write the absolute path of a PEM file."),
    # environment
    ([php(php={"env": "x"})], "php.env is not shown, but must be true, or a dictionary of variables."),
    ([wordpress(php={"env": True})], "php.env is set, but WordPress reads its own wp-config.php; remove php.env."),
    ([php(php={"env": {"A-B": SECRET}})], "php.env has a variable 'A-B'; use letters, digits and _ in its name."),
    ([php(php={"env": {"A": f"{SECRET}\n"}})], "php.env gives A a value that is no printable text on one line"),
    ([php(php={"env": {"A": [SECRET]}})], "php.env gives A a value that is no printable text on one line"),
    (
        [php(php={"env": {"A": f"${SECRET}"}})],
        "php.env.A begins with $, which PHP-FPM cannot hand on by php.env; choose another, or remove php.env.",
    ),
    ([php(php={"env": True}, database={"password": f"${SECRET}"})], "database.password begins with $"),
    ([redis(password=f"${SECRET}") | {"php": {"env": {}}}], "cache.password begins with $"),
    # tls
    ([php(tls={"issuer": "pigeon"})], "tls.issuer is 'pigeon', but must be one of"),
    ([php(tls={"issuer": "files", "key_pem": KEY})], "tls.certificate_pem holds no PEM text, but tls.issuer is 'files'"),
    ([php(tls={"issuer": "files", "certificate_pem": CERTIFICATE, "key_pem": SECRET})], "tls.key_pem holds no PEM text"),
    ([php(tls={"key_pem": KEY})], "tls.key_pem is set, but tls.issuer is 'selfsigned'; set it to files or remove the key."),
    # nginx and proxy
    ([php(nginx={"upload_paths": ["uploads"]})], "nginx.upload_paths contains 'uploads'; write URL paths such as /uploads/."),
    ([proxy(proxy={})], "proxy.url is missing; a proxy site needs the address of what it stands in front of."),
    ([proxy(proxy={"url": "http://a/b; x"})], "proxy.url is 'http://a/b; x', which cannot be used; write http://host:port"),
    # two sites
    ([php(), php(domains=["b.org"])], "lemp_sites: name 'shop' is used by shop and by shop; give each site a name of its own."),
    (
        [php(), php(name="b")],
        "lemp_sites: domain 'shop.example.org' is used by shop and by b; a domain can belong to one site only.",
    ),
    (
        [php(), php(name="b", domains=["b.org"], user="shop")],
        "user 'shop' is used by shop and by b; give each site a Unix user",
    ),
    (
        [wordpress(), php(database={"password": SECRET, "name": "blog"})],
        "database 'blog' is used by blog and by shop; give each site its own database.",
    ),
    (
        [wordpress(), php(database={"password": SECRET, "user": "blog"})],
        "database user 'blog' is used by blog and by shop; give each site its own user.",
    ),
]


@pytest.mark.parametrize(("sites", "sentence"), BAD, ids=[sentence[:60] for _, sentence in BAD])
def test_refuses_with_one_sentence_that_names_key_value_and_remedy(sites: Any, sentence: str) -> None:
    with pytest.raises(SiteError) as caught:
        complete(sites)
    message = str(caught.value)
    assert sentence in message
    assert message.startswith("lemp_sites")
    assert message.endswith((".", "?"))
    assert "\n" not in message
    assert SECRET not in message


SECRET_KEYS = [
    ("database", "password"),
    ("cache", "password"),
    ("wordpress", "admin_password"),
    ("tls", "key_pem"),
]


@pytest.mark.parametrize(("table", "key"), SECRET_KEYS)
@pytest.mark.parametrize("value", [[SECRET], {"a": SECRET}, (SECRET,)])
def test_a_secret_of_the_wrong_type_is_not_shown(table: str, key: str, value: Any) -> None:
    site = {**wordpress(), table: {key: value}}
    with pytest.raises(SiteError) as caught:
        complete([site])
    assert f"{table}.{key}" in str(caught.value)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("table", ["database", "cache", "wordpress", "tls"])
@pytest.mark.parametrize("value", [[{"password": SECRET}], SECRET])
def test_a_table_of_the_wrong_type_does_not_show_the_secrets_in_it(table: str, value: Any) -> None:
    with pytest.raises(SiteError) as caught:
        complete([{**wordpress(), table: value}])
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "sites", [f"password={SECRET}", {"blog": {"database": {"password": SECRET}}}, [[{"password": SECRET}]]]
)
def test_sites_of_the_wrong_shape_do_not_show_the_secrets_in_them(sites: Any) -> None:
    with pytest.raises(SiteError) as caught:
        complete(sites)
    assert SECRET not in str(caught.value)


def _leaves(table: dict[str, Any], prefix: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], Any]]:
    return [
        leaf
        for key, expected in table.items()
        for leaf in (_leaves(expected, (*prefix, key)) if isinstance(expected, dict) else [((*prefix, key), expected)])
    ]


@pytest.mark.parametrize(
    ("path", "expected"),
    _leaves(SITE_KEYS),
    ids=lambda value: ".".join(value) if isinstance(value, tuple) and isinstance(value[0], str) else "",
)
def test_every_key_refuses_null_by_its_dotted_name(path: tuple[str, ...], expected: Any) -> None:
    site: dict[str, Any] = {"name": "shop", "domains": ["shop.example.org"]}
    table = site
    for key in path[:-1]:
        table = table.setdefault(key, {})
    table[path[-1]] = None
    with pytest.raises(SiteError, match=f"{'.'.join(path)} is (None|not shown), but must be "):
        complete([site])


@given(st.sampled_from(sorted(RESERVED_NAMES)))
def test_no_reserved_name_becomes_a_user(name: str) -> None:
    with pytest.raises(SiteError):
        complete([{"name": "shop", "domains": ["shop.example.org"], "user": name}])


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(list(SITE_KEYS)) | st.text(max_size=5), inner),
    max_leaves=12,
)


@given(junk)
def test_junk_is_refused_and_never_crashes(value: Any) -> None:
    with suppress(SiteError):
        complete([{"name": "shop", "domains": ["shop.example.org"], **value}] if isinstance(value, dict) else value)


@given(st.sampled_from(_leaves(SITE_KEYS)), junk)
def test_junk_in_any_single_key_is_refused_or_used_but_never_crashes(leaf: tuple[tuple[str, ...], Any], value: Any) -> None:
    path, _ = leaf
    for site in (php(), wordpress(), proxy()):
        table: Any = site
        for key in path[:-1]:
            table = table.setdefault(key, {})
        table[path[-1]] = value
        with suppress(SiteError):
            complete([site])


def test_every_app_is_reachable() -> None:
    assert {only(wordpress())["app"], only(php(app="php", root="/opt/a/b"))["app"]} == set(APPS)
