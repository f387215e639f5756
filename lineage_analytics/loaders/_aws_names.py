"""What AWS exports have in common: principals by ARN, targets as CloudTrail steps name them, envelopes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from lineage_analytics.loaders.common.ids import identity_id
from lineage_analytics.loaders.common.values import Fields, embedded, fold, text

if TYPE_CHECKING:
    from collections.abc import Callable

PROVIDER = "aws"
_ENVELOPES = ("log", "detail", "message", "@message", "_source", "finding", "digest", "result", "_raw")
_ACCOUNT = re.compile(r"\d{12}")
_KINDS = {"user": "iam_user", "role": "iam_role", "group": "iam_group"}


def account(value: object) -> str | None:
    """A 12-digit account id, also where an export lost its leading zeros; None for anything else."""
    found = text(value)
    if found is not None and found.isdecimal() and 6 < len(found) < 12 and not isinstance(value, str):
        found = found.zfill(12)
    return found if found is not None and _ACCOUNT.fullmatch(found) else None


def account_of(arn: str | None) -> str | None:
    """The account an ARN names; None when it names none."""
    parts = (arn or "").split(":", 5)
    return account(parts[4]) if len(parts) == 6 and parts[0] == "arn" else None


class Caller(NamedTuple):
    """A principal known by its ARN alone. ``session`` is the session's name where the ARN is a session's."""

    id: str
    arn: str
    account: str | None
    subkind: str | None
    name: str
    session: str | None = None

    def fact(self, **stated: Any) -> dict[str, Any]:
        """Cells of IDENTITY_FACTS for a principal that was only seen."""
        return {"id": self.id, "kind": "unknown", "subkind": self.subkind, "display_name": self.name, "basis": "seen",
                "kind_basis": "known by its ARN alone", "alt_ids": [{"kind": "arn", "value": self.arn}],
                "tenant": self.account, "provider": PROVIDER, **stated}


def caller(arn: str | None) -> Caller | None:
    """The principal of an IAM or session ARN; None for other text. A session drops its role's path: its role is
    known by account and name."""
    parts = (arn or "").split(":", 5)
    if arn is None or len(parts) != 6 or parts[0] != "arn" or parts[2] not in ("iam", "sts"):
        return None
    owner, resource = parts[4], parts[5]
    sort, _, rest = resource.partition("/")
    if resource == "root":
        return Caller(identity_id(PROVIDER, owner, "root"), arn, account(owner), "root", "root")
    if sort == "assumed-role":
        role, _, session = rest.partition("/")
        arn = f"{parts[0]}:{parts[1]}:iam::{owner}:role/{role}"
        return Caller(identity_id(PROVIDER, owner, arn), arn, account(owner), "iam_role", role, session or None)
    if sort == "federated-user":
        return Caller(identity_id(PROVIDER, owner, arn), arn, account(owner), None, rest)
    if sort not in _KINDS or not rest:
        return None
    return Caller(identity_id(PROVIDER, owner, arn), arn, account(owner), _KINDS[sort], rest.rpartition("/")[2])


def target(arn: str | None, owner: str | None) -> str | None:
    """The resource as steps from the log of calls name it: ``aws:<account>:role/<name>``; None for no ARN."""
    parts = (arn or "").split(":", 5)
    if arn is None or len(parts) != 6 or parts[0] != "arn":
        return None
    service, tenant, resource = parts[2], owner or account_of(arn) or "", parts[5]
    sort, _, rest = resource.partition("/")
    if service == "iam" and sort in _KINDS and rest:
        return f"aws:{tenant}:{sort}/{rest.rpartition('/')[2]}"
    if service == "iam" and sort == "policy":
        return f"aws:{tenant}:policy/{arn}"
    if service == "s3" and "/" not in resource and resource:
        return f"aws:{tenant}:bucket/{resource}"
    if service == "kms" and sort == "key" and rest:
        return f"aws:{tenant}:key/{rest}"
    return f"aws:{tenant}:resource/{arn}"


def opened(fields: Fields, wanted: Callable[[Fields], bool], depth: int = 3) -> Fields | None:
    """The record inside its envelopes (pipelines, log groups, event buses, test suites), folded; None when there is
    none that ``wanted`` takes."""
    row = fold(fields)
    if wanted(row):
        return row
    if depth:
        for key in _ENVELOPES:
            inner = embedded(row.get(key))
            if isinstance(inner, dict) and (found := opened(inner, wanted, depth - 1)) is not None:
                return found
    return None


def is_control(fields: Fields) -> bool:
    """Whether an entry of a log group is a message of the pipeline itself."""
    said = fold(fields)
    return any(str(said.get(key, "")).startswith("CWL CONTROL MESSAGE") for key in ("message", "@message"))
