"""Projections: what each role is told about a site, and that no two sites share anything."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.lemp.stack.plugins.module_utils import _projection as projection
from ansible_collections.lemp.stack.plugins.module_utils._site import RESERVED_NAMES, complete

WORDPRESS = {"title": "Blog", "admin_user": "anna", "admin_email": "anna@example.org", "admin_password": "admin-secret"}
SITES = [
    {
        "name": "blog",
        "domains": ["blog.example.org", "www.blog.example.org"],
        "app": "wordpress",
        "wordpress": WORDPRESS,
        "database": {"password": "database-secret"},
        "nginx": {"client_max_body_size_mb": 32},
        "php": {"version": "8.4", "max_children": 6, "extensions": ["redis"], "settings": {"a.b": 1}},
    },
    {"name": "docs", "domains": ["docs.example.org"], "kind": "static"},
    {"name": "api", "domains": ["api.example.org"], "kind": "proxy", "proxy": {"url": "http://127.0.0.1:9000"}},
    {"name": "shop", "domains": ["shop.example.org"], "user": "seller"},
]


@pytest.fixture(name="sites")
def completed_sites() -> list[dict[str, Any]]:
    return complete(SITES)


def test_each_site_gets_one_server_block(sites: list[dict[str, Any]]) -> None:
    assert [(server["name"], server["kind"]) for server in projection.nginx_servers(sites)] == [
        ("blog", "php"),
        ("docs", "static"),
        ("api", "proxy"),
        ("shop", "php"),
    ]


def test_a_server_block_holds_no_secret(sites: list[dict[str, Any]]) -> None:
    assert "secret" not in str(projection.nginx_servers(sites))


def test_packaged_wordpress_keeps_its_content_in_the_home_of_the_site(sites: list[dict[str, Any]]) -> None:
    assert projection.nginx_servers(sites)[0]["aliases"] == [{"path": "/wp-content/", "root": "/srv/www/blog"}]


def test_a_proxy_has_an_address_and_neither_root_nor_socket(sites: list[dict[str, Any]]) -> None:
    server = projection.nginx_servers(sites)[2]
    assert (server["proxy_url"], server["proxy_timeout_seconds"]) == ("http://127.0.0.1:9000", 60)
    assert not {"root", "php_socket", "php_timeout_seconds", "aliases"} & set(server)


def test_a_static_site_has_no_socket(sites: list[dict[str, Any]]) -> None:
    assert "php_socket" not in projection.nginx_servers(sites)[1]


def test_nginx_joins_the_group_of_every_site_with_files(sites: list[dict[str, Any]]) -> None:
    assert projection.nginx_user_groups(sites) == ["blog", "docs", "seller"]


def test_only_php_sites_get_a_pool(sites: list[dict[str, Any]]) -> None:
    assert [(pool["name"], pool["user"]) for pool in projection.php_fpm_pools(sites)] == [("blog", "blog"), ("shop", "seller")]


def test_a_pool_repeats_what_the_site_pins(sites: list[dict[str, Any]]) -> None:
    blog, shop = projection.php_fpm_pools(sites)
    assert (blog["max_children"], blog["version"], blog["settings"]) == (6, "8.4", {"a.b": 1})
    assert "max_children" not in shop


def test_extensions_follow_from_the_database_and_the_app(sites: list[dict[str, Any]]) -> None:
    blog, shop = projection.php_fpm_pools(sites)
    assert blog["extensions"] == ["curl", "gd", "intl", "mbstring", "mysql", "redis", "xml", "zip"]
    assert shop["extensions"] == []


def test_only_sites_with_a_database_get_one(sites: list[dict[str, Any]]) -> None:
    assert projection.mariadb_databases(sites) == ["blog"]


def test_there_is_one_account_per_client_host() -> None:
    database = {"password": "x", "host": "db", "client_hosts": ["10.0.0.1", "10.0.0.2"]}
    users = projection.mariadb_users(complete([{"name": "shop", "domains": ["shop.example.org"], "database": database}]))
    assert [(user["name"], user["host"]) for user in users] == [("shop", "10.0.0.1"), ("shop", "10.0.0.2")]
    assert {privilege["database"] for user in users for privilege in user["privileges"]} == {"shop"}


def test_a_certificate_carries_pem_text_only_where_the_site_brings_it(sites: list[dict[str, Any]]) -> None:
    for certificate in projection.certificates(sites):
        assert "key_pem" not in certificate
    pem = {
        "issuer": "files",
        "certificate_pem": "-----BEGIN CERTIFICATE-----",
        "key_pem": "-----BEGIN PRIVATE KEY-----",
    }
    [certificate] = projection.certificates(complete([{"name": "shop", "domains": ["shop.example.org"], "tls": pem}]))
    assert certificate["key_pem"] == pem["key_pem"]


def test_an_app_gets_its_own_credentials_and_no_null(sites: list[dict[str, Any]]) -> None:
    blog, docs, shop = projection.app_sites(sites)
    assert blog["database"] == {"name": "blog", "user": "blog", "password": "database-secret", "host": "localhost"}
    assert None not in blog["wordpress"].values()
    assert (docs["recipe"], shop["recipe"], blog["recipe"]) == ("none", "none", "wordpress")
    assert "database" not in docs


TIERED = [
    {
        "name": "shop",
        "domains": ["shop.example.org"],
        "database": {"engine": "postgresql", "password": "shop-db"},
        "cache": {"engine": "redis", "password": "shop cache&?#[]", "sessions": True, "queue": True},
        "php": {"env": {"APP_ENV": "production", "DB_PASSWORD": "own"}},
    },
    {
        "name": "blog",
        "domains": ["blog.example.org"],
        "app": "wordpress",
        "wordpress": WORDPRESS,
        "database": {"password": "blog-db"},
        "cache": {"engine": "redis", "password": "blog-cache"},
    },
    {"name": "feed", "domains": ["feed.example.org"], "cache": {"engine": "memcached"}, "php": {"env": True}},
]


def test_each_engine_gets_the_databases_of_its_own_sites() -> None:
    sites = complete(TIERED)
    assert projection.mariadb_databases(sites) == ["blog"]
    assert [user["name"] for user in projection.mariadb_users(sites)] == ["blog"]
    assert projection.postgresql_databases(sites) == [{"name": "shop", "owner": "shop"}]
    assert projection.postgresql_users(sites) == [
        {"name": "shop", "password": "shop-db", "databases": ["shop"], "client_hosts": ["localhost"]}
    ]


def test_a_pooled_database_is_marked_planned_and_reached_at_the_poolers_port() -> None:
    pooled = [{**TIERED[0], "database": {**TIERED[0]["database"], "pooled": True}}]
    direct = {"name": "wiki", "domains": ["wiki.example.org"], "database": {"engine": "postgresql", "password": "wiki-db"}}
    assert projection.postgresql_databases(complete(pooled)) == [{"name": "shop", "owner": "shop", "pooled": True}]
    env = projection.php_fpm_pools(complete(pooled))[0]["env"]
    assert (env["DB_HOST"], env["DB_PORT"]) == ("/run/postgresql", "6432")

    def planned(sites: list[dict[str, Any]]) -> Any:
        return projection.host_services(complete(sites), ["web", "database"], {}, {})["postgresql"]

    assert planned(TIERED) == {}
    assert planned(pooled) == {"pooled_databases": 1, "pooled_workers": True}
    assert planned([*pooled, direct]) == {"pooled_databases": 1, "pooled_workers": False}


def test_redis_has_one_instance_per_use_and_one_account_per_site() -> None:
    instances = {instance["name"]: instance for instance in projection.redis_instances(complete(TIERED))}
    assert {name: [user["name"] for user in instance["users"]] for name, instance in instances.items()} == {
        "cache": ["shop", "blog"],
        "session": ["shop"],
        "queue": ["shop"],
    }
    assert instances["session"] == {
        "name": "session",
        "use": "session",
        "port": 0,
        "users": [{"name": "shop", "password": "shop cache&?#[]", "key_prefix": "shop:"}],
    }


def test_an_instance_listens_where_a_site_reaches_it_over_the_network() -> None:
    remote = {"engine": "redis", "password": "x", "host": "10.0.0.9", "queue": True}
    sites = [TIERED[0] | {"cache": remote}, TIERED[1]]
    ports = {instance["name"]: instance["port"] for instance in projection.redis_instances(complete(sites))}
    assert ports == {"cache": 6379, "queue": 6381}
    [shop, _blog] = projection.php_fpm_pools(complete(sites))
    assert (shop["env"]["REDIS_HOST"], shop["env"]["REDIS_PORT"]) == ("tls://10.0.0.9", "6379")


def test_a_redis_on_another_host_shows_a_certificate_of_the_named_ca() -> None:
    remote = {"engine": "redis", "password": "x", "host": "fd00::9", "sessions": True, "ca": "/etc/ssl/ca.pem"}
    sites = complete([site | {"cache": remote} for site in TIERED[:2]])
    assert projection.php_fpm_pools(sites)[0]["session_save_path"] == (
        "tls://[fd00::9]:6380?auth[]=shop&auth[]=x&prefix=shop%3Asession%3A&timeout=5&stream[cafile]=%2Fetc%2Fssl%2Fca.pem"
    )
    cache = projection.app_sites(sites)[1]["cache"]
    assert (cache["host"], cache["port"], cache["ca"]) == ("fd00::9", 6379, "/etc/ssl/ca.pem")


def test_what_is_decided_by_hand_about_an_instance_reaches_role_and_plan() -> None:
    settings = {"session": {"maxmemory_mb": 64, "extra_clients": 0}, "queue": {"persistent": False}}
    sites = complete(TIERED)
    made = {instance["name"]: instance for instance in projection.redis_instances(sites, settings)}
    assert made["session"]["maxmemory_mb"] == 64
    assert "extra_clients" not in made["session"]
    assert projection.host_services(sites, ["cache"], {}, {"redis": settings})["redis"] == {
        "instances": [
            {"name": "cache", "use": "cache"},
            {"name": "session", "use": "session", "maxmemory_mb": 64},
            {"name": "queue", "use": "queue", "persistent": False},
        ]
    }
    with pytest.raises(ValueError, match="lemp_redis has settings of sesion, but the instances are cache, session, queue"):
        projection.redis_instances(sites, {"sesion": {}})


def test_sessions_are_kept_under_the_account_and_the_prefix_of_the_site() -> None:
    shop, blog, feed = projection.php_fpm_pools(complete(TIERED))
    assert (shop["session_save_handler"], shop["session_save_path"]) == (
        "redis",
        "unix:///run/lemp-redis-session/redis.sock?auth[]=shop&auth[]=shop%20cache%26%3F%23%5B%5D"
        "&prefix=shop%3Asession%3A&timeout=5",
    )
    for pool in (blog, feed):
        assert "session_save_path" not in pool


def test_extensions_follow_from_the_engines() -> None:
    shop, blog, feed = projection.php_fpm_pools(complete(TIERED))
    assert shop["extensions"] == ["pgsql", "redis"]
    assert {"mysql", "redis"} < set(blog["extensions"])
    assert feed["extensions"] == ["memcached"]


def test_only_who_asks_gets_secrets_in_variables_and_own_ones_win() -> None:
    shop, blog, feed = projection.php_fpm_pools(complete(TIERED))
    assert "env" not in blog
    assert shop["env"] == {
        "APP_ENV": "production",
        "DB_CONNECTION": "pgsql",
        "DB_HOST": "/run/postgresql",
        "DB_DATABASE": "shop",
        "DB_USERNAME": "shop",
        "DB_PASSWORD": "own",
        "CACHE_STORE": "redis",
        "CACHE_DRIVER": "redis",
        "REDIS_CLIENT": "phpredis",
        "REDIS_USERNAME": "shop",
        "REDIS_PASSWORD": "shop cache&?#[]",
        "REDIS_PREFIX": "shop:",
        "REDIS_CACHE_DB": "0",
        "REDIS_HOST": "/run/lemp-redis-cache/redis.sock",
        "REDIS_PORT": "0",
        "REDIS_SESSION_HOST": "/run/lemp-redis-session/redis.sock",
        "REDIS_SESSION_PORT": "0",
        "REDIS_QUEUE_HOST": "/run/lemp-redis-queue/redis.sock",
        "REDIS_QUEUE_PORT": "0",
    }
    assert feed["env"] == {
        "CACHE_STORE": "memcached",
        "CACHE_DRIVER": "memcached",
        "CACHE_PREFIX": "feed:",
        "MEMCACHED_HOST": "/run/memcached/memcached.sock",
        "MEMCACHED_PORT": "0",
    }


def test_wordpress_is_told_its_own_cache() -> None:
    shop, blog, feed = projection.app_sites(complete(TIERED))
    assert blog["cache"] == {
        "engine": "redis",
        "host": "/run/lemp-redis-cache/redis.sock",
        "port": 0,
        "prefix": "blog:",
        "user": "blog",
        "password": "blog-cache",
    }
    for site in (shop, feed):
        assert "cache" not in site
    [pool] = projection.php_fpm_pools(complete(TIERED[1:2]))
    assert projection.OBJECT_CACHE in pool["open_basedir"]


@pytest.mark.parametrize("groups", [["web", "database", "cache"], ["cache"]])
def test_what_shares_a_host_holds_no_secret(groups: list[str]) -> None:
    said = str(projection.host_services(complete(TIERED), groups, {}, {}))
    for secret in ("shop-db", "shop cache", "shop%20cache", "blog-db", "blog-cache", "'own'"):
        assert secret not in said


def test_hosts_of_databases_and_caches_carry_what_the_sites_name() -> None:
    def services(sites: list[dict[str, Any]], *groups: str) -> list[str]:
        return list(projection.host_services(complete(sites), groups, {}, {}))

    assert services(TIERED, "database") == ["mariadb", "postgresql"]
    assert services(TIERED[:1], "database") == ["postgresql"]
    assert services(TIERED, "cache") == ["redis", "memcached"]
    assert services(TIERED[2:], "cache") == ["memcached"]
    assert services(SITES, "cache") == []


@pytest.mark.parametrize(
    ("groups", "services"),
    [
        ([], []),
        (["web"], ["nginx", "php_fpm"]),
        (["database"], ["mariadb"]),
        (["web", "database"], ["nginx", "php_fpm", "mariadb"]),
    ],
)
def test_groups_decide_which_services_share_a_host(sites: list[dict[str, Any]], groups: list[str], services: list[str]) -> None:
    assert list(projection.host_services(sites, groups, {}, {})) == services


def test_a_web_host_without_php_sites_runs_no_pools() -> None:
    static = complete([{"name": "docs", "domains": ["docs.example.org"], "kind": "static"}])
    assert list(projection.host_services(static, ["web"], {}, {})) == ["nginx"]


def test_pins_about_the_host_are_handed_on(sites: list[dict[str, Any]]) -> None:
    assert projection.host_services(sites, [], {"memory_mb": 512}, {}) == {"host": {"memory_mb": 512}}


def test_pins_go_to_services_that_the_host_has(sites: list[dict[str, Any]]) -> None:
    pins = {"nginx": {"worker_processes": 3, "worker_connections": "0"}, "mariadb": {"max_connections": 50}}
    assert projection.host_services([], ["web"], {}, pins) == {"nginx": {"worker_processes": 3}}


names = st.from_regex(r"[a-z][a-z0-9_]{0,12}", fullmatch=True).filter(lambda name: name not in RESERVED_NAMES)


@st.composite
def site_lists(draw: st.DrawFn) -> list[dict[str, Any]]:
    sites: list[dict[str, Any]] = []
    for index, name in enumerate(draw(st.lists(names, max_size=8, unique=True))):
        site: dict[str, Any] = {
            "name": name,
            "domains": [f"{label}{index}.example.org" for label in draw(st.sampled_from(["a", "ab"]))],
        }
        kind = draw(st.sampled_from(["php", "static", "proxy", "wordpress", "archive"]))
        if kind in ("wordpress", "archive"):
            archive = {"source": "archive", "archive_url": "https://x", "archive_checksum": "sha256:" + "0" * 64}
            site |= {"app": "wordpress", "wordpress": WORDPRESS | (archive if kind == "archive" else {})}
            site["database"] = {"password": f"secret-{index}"}
        elif kind == "proxy":
            site |= {"kind": kind, "proxy": {"url": "http://127.0.0.1:9000"}}
        else:
            site["kind"] = kind
            if draw(st.booleans()):
                site["database"] = {"password": f"secret-{index}"}
        if kind not in ("static", "proxy"):
            site["php"] = {"max_execution_time_seconds": draw(st.integers(1, 86400))}
        site["nginx"] = {"client_max_body_size_mb": draw(st.integers(1, 102400))}
        sites.append(site)
    return sites


def assert_distinct(values: list[Any]) -> None:
    assert len(values) == len(set(values)), values


@given(site_lists())
def test_no_two_sites_share_a_socket_user_home_database_account_or_key(written: list[dict[str, Any]]) -> None:
    sites = complete(written)
    pools, apps, users = projection.php_fpm_pools(sites), projection.app_sites(sites), projection.mariadb_users(sites)
    assert_distinct([pool["socket"] for pool in pools])
    assert_distinct([pool["user"] for pool in pools])
    assert_distinct([pool["home"] for pool in pools])
    assert_distinct([app["home"] for app in apps])
    assert_distinct(projection.mariadb_databases(sites))
    assert_distinct([(user["name"], user["host"]) for user in users])
    assert_distinct([certificate["key"] for certificate in projection.certificates(sites)])
    assert_distinct([certificate["certificate"] for certificate in projection.certificates(sites)])
    assert_distinct([domain for server in projection.nginx_servers(sites) for domain in server["domains"]])


@given(site_lists())
def test_an_account_reaches_the_database_of_its_own_site_only(written: list[dict[str, Any]]) -> None:
    sites = complete(written)
    own = {site["database"]["user"]: site["database"]["name"] for site in sites if site["database"]}
    for user in projection.mariadb_users(sites):
        assert [privilege["database"] for privilege in user["privileges"]] == [own[user["name"]]]


@given(site_lists())
def test_no_pool_may_open_files_in_the_home_of_another_site(written: list[dict[str, Any]]) -> None:
    sites = complete(written)
    homes = {f"{site['home']}/" for site in sites}
    for pool in projection.php_fpm_pools(sites):
        opened = {f"{path.rstrip('/')}/" for path in pool["open_basedir"]}
        assert f"{pool['home']}/" in opened
        assert not {
            home for home in homes - {f"{pool['home']}/"} for path in opened if home.startswith(path) or path.startswith(home)
        }


@given(site_lists())
def test_each_layer_waits_longer_than_the_one_behind_it(written: list[dict[str, Any]]) -> None:
    sites = complete(written)
    waits = {server["name"]: server.get("php_timeout_seconds") for server in projection.nginx_servers(sites)}
    for pool in projection.php_fpm_pools(sites):
        assert 0 < pool["max_execution_time_seconds"] < pool["request_terminate_timeout_seconds"] < waits[pool["name"]]


@given(site_lists())
def test_php_takes_every_body_that_nginx_lets_through(written: list[dict[str, Any]]) -> None:
    sites = complete(written)
    bodies = {server["name"]: server["client_max_body_size_mb"] for server in projection.nginx_servers(sites)}
    for pool in projection.php_fpm_pools(sites):
        assert pool["post_max_size_mb"] == bodies[pool["name"]]


@given(site_lists())
def test_nginx_asks_the_socket_that_the_pool_listens_on(written: list[dict[str, Any]]) -> None:
    sites = complete(written)
    sockets = {server["name"]: server["php_socket"] for server in projection.nginx_servers(sites) if server["kind"] == "php"}
    assert sockets == {pool["name"]: pool["socket"] for pool in projection.php_fpm_pools(sites)}


@given(site_lists())
def test_projecting_changes_nothing_and_repeats_itself(written: list[dict[str, Any]]) -> None:
    sites = complete(written)
    for project in (
        projection.nginx_servers,
        projection.php_fpm_pools,
        projection.mariadb_users,
        projection.certificates,
        projection.app_sites,
    ):
        assert project(sites) == project(complete(written))
    assert sites == complete(written)
