"""One side of the comparison in a process of its own: ``python -m tests.bench._sides SIDE LOGS OUT`` prints JSON.

Imports come first and are not measured; what the side left on disk is counted afterwards, likewise unmeasured.
"""

# ruff: noqa: S608  (the SQL is put together from constants of this file and folders the benchmark made)
from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

if TYPE_CHECKING:
    from collections.abc import Callable

THREADS = 2
FORMS = {
    "ours": "workspace.load: decode, ids, de-duplication, identities, steps, roll-up, Delta commit",
    "best": "DuckDB read_json_objects + from_json of the whole file with its structure, unnest, zstd Parquet, 2 threads",
    "typed": "DuckDB read_json with typed nested columns, unnest, zstd Parquet, 2 threads",
}

_ISSUER = {"type": "VARCHAR", "principalId": "VARCHAR", "arn": "VARCHAR", "accountId": "VARCHAR",
           "userName": "VARCHAR"}
# What the columns of our activity table are made of, and nothing else: a narrower structure is faster to fill.
STRUCTURE: dict[str, Any] = {
    "eventID": "VARCHAR", "eventTime": "VARCHAR", "eventSource": "VARCHAR", "eventName": "VARCHAR",
    "userIdentity": {
        "type": "VARCHAR", "principalId": "VARCHAR", "arn": "VARCHAR", "accountId": "VARCHAR",
        "accessKeyId": "VARCHAR", "userName": "VARCHAR", "invokedBy": "VARCHAR", "credentialId": "VARCHAR",
        "sessionContext": {"sessionIssuer": _ISSUER, "sourceIdentity": "VARCHAR", "webIdFederationData": "JSON"},
        "onBehalfOf": {"userId": "VARCHAR", "identityStoreArn": "VARCHAR"},
    },
    "sourceIPAddress": "VARCHAR", "userAgent": "VARCHAR", "errorCode": "VARCHAR", "readOnly": "BOOLEAN",
    "sessionCredentialFromConsole": "VARCHAR", "requestParameters": {"dryRun": "VARCHAR"},
    "responseElements": {"ConsoleLogin": "VARCHAR"}, "resources": [{"ARN": "VARCHAR"}],
    "recipientAccountId": "VARCHAR", "requestID": "VARCHAR", "sharedEventID": "VARCHAR",
}
_COLUMNS = """
    r.eventID AS event_id, CAST(r.eventTime AS TIMESTAMPTZ) AS "time", r.userIdentity AS user_identity,
    split_part(r.eventSource, '.', 1) || ':' || r.eventName AS action, r.resources[1].ARN AS resource_id,
    r.errorCode AS error_code, r.responseElements.ConsoleLogin AS console_login, r.readOnly AS is_read,
    r.requestParameters.dryRun AS is_dry_run, r.sourceIPAddress AS ip, r.userAgent AS client,
    r.sessionCredentialFromConsole AS from_console, r.recipientAccountId AS tenant,
    coalesce(r.sharedEventID, r.requestID) AS correlation_id, filename
"""
_OBJECT_BYTES = 256 << 20


def sql_type(structure: Any) -> str:
    """The DuckDB type of a JSON structure, e.g. ``STRUCT("a" VARCHAR)[]``."""
    if isinstance(structure, dict):
        return "STRUCT(" + ", ".join(f'"{name}" {sql_type(inner)}' for name, inner in structure.items()) + ")"
    return f"{sql_type(structure[0])}[]" if isinstance(structure, list) else str(structure)


def _ours(logs: Path, out: Path) -> tuple[Callable[[], object], Callable[[], tuple[int, int]]]:
    import deltalake  # noqa: F401  (imported by the first write otherwise)

    from lineage_analytics.loaders import loaders
    from lineage_analytics.workspace import Store, load, open_estate

    loaders()

    def counted() -> tuple[int, int]:
        activity = open_estate(out).frame("activity")
        return activity.height, activity["event_id"].n_unique()

    return lambda: load([logs], Store.create(out)), counted


def _duckdb(form: str, logs: Path, out: Path) -> tuple[Callable[[], object], Callable[[], tuple[int, int]]]:
    import duckdb

    files, table = f"'{logs}/*.json.gz'", out.with_suffix(".parquet")
    if form == "best":
        records = (f"SELECT unnest(from_json(json, '{json.dumps({'Records': [STRUCTURE]})}').Records) AS r, filename "
                   f"FROM read_json_objects({files}, format='unstructured', filename=true, "
                   f"maximum_object_size={_OBJECT_BYTES})")
    else:
        records = (f"SELECT unnest(Records) AS r, filename FROM read_json({files}, filename=true, "
                   f"columns={{'Records': '{sql_type([STRUCTURE])}'}}, maximum_object_size={_OBJECT_BYTES})")
    connection = duckdb.connect()
    connection.execute(f"SET threads={THREADS}; SET preserve_insertion_order=false; SET TimeZone='UTC'")
    statement = (f"COPY (SELECT {_COLUMNS} FROM ({records})) TO '{table}' "
                 "(FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1)")

    def counted() -> tuple[int, int]:
        [row] = connection.execute(f"SELECT count(*), count(DISTINCT event_id) FROM '{table}'").fetchall()
        return int(row[0]), int(row[1])

    return lambda: connection.execute(statement), counted


def _cpu() -> float:
    return sum(used.ru_utime + used.ru_stime for used in map(
        resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)))


def _peak_bytes() -> int:
    """Peak resident memory of this process. ``ru_maxrss`` on Linux starts at the parent's, so not that one there."""
    status = Path("/proc/self/status")
    if status.exists():
        return next(int(line.split()[1]) << 10 for line in status.read_text(encoding="ascii").splitlines()
                    if line.startswith("VmHWM:"))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def measure(side: str, logs: Path, out: Path) -> dict[str, float]:
    """CPU and clock in s, memory in MiB after the imports and at its peak, rows and distinct event ids written."""
    run, counted = _ours(logs, out) if side == "ours" else _duckdb(side, logs, out)
    imported = psutil.Process().memory_info().rss
    cpu, clock = _cpu(), time.perf_counter()
    run()
    cpu, clock, peak = _cpu() - cpu, time.perf_counter() - clock, _peak_bytes()
    rows, ids = counted()
    return {"cpu": cpu, "clock": clock, "peak": peak / 2**20, "imported": imported / 2**20, "rows": rows, "ids": ids}


if __name__ == "__main__":
    json.dump(measure(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])), sys.stdout)
