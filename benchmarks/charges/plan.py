"""Write the plan of three services, and its values as their own configuration.

Arguments: memory in MB, PostgreSQL's version, what the names of the files begin with.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "collections"))
from ansible_collections.lemp.stack.plugins.module_utils._plan.budget import make_plan
from ansible_collections.lemp.stack.plugins.module_utils._plan.units import format_size

size, version, base = int(sys.argv[1]), sys.argv[2], sys.argv[3]
plan = make_plan(
    {},
    {
        "host": {"memory_mb": size, "cpus": os.cpu_count()},
        "postgresql": {"version": version},
        # Written to disk, which takes twice the memory of its data.
        "redis": {"use": "session"},
        "memcached": {},
    },
)
is_size = {key.partition(".")[2]: entry["unit"] == "bytes" for key, entry in plan["explain"].items() if "postgresql." in key}
Path(f"{base}-postgresql.conf").write_text(
    "".join(
        f"{name} = '{format_size(value, 'postgresql') if is_size[name] else value}'\n"
        for name, value in plan["postgresql"].items()
    )
)
redis = {name.replace("_", "-"): value for name, value in plan["redis"]["instances"]["cache"].items()}
# What is pushed out is not what is measured.
redis |= {"maxmemory-policy": "allkeys-lru", "appendonly": "yes", "save": '""'}
Path(f"{base}-redis.conf").write_text("".join(f"{name} {value}\n" for name, value in redis.items()))
memcached = plan["memcached"]
Path(f"{base}-memcached.conf").write_text(
    f"-u memcache\n-l 127.0.0.1\n-m {memcached['memory_mb']}\n-c {memcached['max_connections']}\n-t {memcached['threads']}\n"
)
Path(f"{base}.json").write_text(json.dumps(plan))
