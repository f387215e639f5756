"""The IAM credential report: rows in, identity facts and credentials out (sources 2.4)."""

from __future__ import annotations

import base64
import binascii
import codecs
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from lineage_analytics.loaders._iam_policy import EntryError
from lineage_analytics.loaders._inventory_rows import NOT_UTF8, REPLACED
from lineage_analytics.loaders.common.ids import identity_id
from lineage_analytics.loaders.common.times import parse_time

if TYPE_CHECKING:
    from collections.abc import Iterator

Row = dict[str, Any]
ROOT = "<root_account>"
SOURCE_COLUMNS = ("user", "arn", "user_creation_time")


# When IAM began to record the use of passwords and of keys: before that, nothing recorded is not never used
# (IAM user guide, credential reports; API reference, AccessKeyLastUsed).
_RECORDED_SINCE = {"password": datetime(2014, 10, 20, tzinfo=UTC), "key": datetime(2015, 4, 22, tzinfo=UTC)}


class Text:
    """A report that came inside a JSON envelope, as a document of its own."""

    def __init__(self, text: bytes, damage: str | None) -> None:
        self._text, self.damage = text, damage

    def chunks(self) -> Iterator[bytes]:
        yield self._text


def unwrapped(envelope: dict[str, Any]) -> tuple[bytes, str | None] | None:
    """The CSV inside the CLI's envelope, base64 (also in lines) or plain, and when it was generated; None: no report.

    Keys are looked up in any case.
    """
    named = {key.lower(): value for key, value in envelope.items()}
    content, stated = str(named.get("content", "")), named.get("generatedtime")
    try:
        text = base64.b64decode("".join(content.split()), validate=True)
    except (binascii.Error, ValueError):
        text = content.encode()
    text = text.removeprefix(codecs.BOM_UTF8)
    header = tuple(name.strip().lower() for name in text.split(b"\n", 1)[0].decode("utf-8", "replace").split(","))
    return (text, str(stated) if stated else None) if header[:3] == SOURCE_COLUMNS else None


def _flag(value: str | None) -> bool | None:
    return {"true": True, "false": False}.get(str(value).strip().lower())


def _stated(row: dict[str, str], name: str) -> bool:
    return row.get(name, "").strip().lower() not in ("", "n/a", "no_information", "not_supported")


def facts(row: dict[str, str], generated: datetime | None) -> tuple[Row, list[Row]]:
    """The identity fact and the credentials of one row. Columns are looked up in lower case.

    The report shows whether an account has a password, which authorization details do not: with one it is a person's,
    with keys and none it is a service account, with neither nothing is shown. EntryError for a row that names nobody.
    """
    if any(REPLACED in value for value in row.values()):
        raise EntryError(NOT_UTF8)
    arn = row.get("arn", "")
    if not arn.startswith("arn:") or arn.count(":") < 5 or not row.get("user"):
        raise EntryError("wanted a user and its ARN in a row of the credential report")
    account = arn.split(":")[4]
    root = row["user"].lower() == ROOT
    identity = identity_id("aws", account, "root" if root else arn)
    password = None if root else _flag(row.get("password_enabled"))
    credentials = [*_password(row, identity, enabled=password), *_keys(row, identity), *_certificates(row, identity)]
    for credential in credentials:
        credential["snapshot_at"] = generated
    kind, basis = _kind(root=root, password=password, keys=any(c["kind"] == "key" for c in credentials))
    used = [c["last_used_at"] for c in credentials if c["last_used_at"]]
    return {
        "id": identity, "kind": kind, "subkind": "root" if root else "iam_user", "kind_basis": basis,
        "display_name": "root" if root else row["user"], "alt_ids": [{"kind": "arn", "value": arn}],
        "created_at": parse_time(row.get("user_creation_time")), "last_seen_at": max(used, default=None),
        "enabled": None, "basis": "inventory", "snapshot_at": generated, "tenant": account,
    }, credentials


def _kind(*, root: bool, password: bool | None, keys: bool) -> tuple[str, str]:
    if root:
        return "human", "the account's root user"
    if password:
        return "human", "an IAM user with a console password (credential report)"
    if password is False and keys:
        return "service_account", "an IAM user with access keys and no password (credential report)"
    if password is None:
        return "unknown", "an IAM user of whom the credential report does not say whether it has a password"
    return "unknown", "an IAM user with neither password nor key (credential report)"


def _password(row: dict[str, str], identity: str, *, enabled: bool | None) -> Iterator[Row]:
    if enabled:
        used = row.get("password_last_used", "")
        yield _credential(identity, "password", "password", row.get("password_last_changed"), used, active=True)


def _keys(row: dict[str, str], identity: str) -> Iterator[Row]:
    for number in (1, 2):
        active, rotated = _flag(row.get(f"access_key_{number}_active")), f"access_key_{number}_last_rotated"
        if active or _stated(row, rotated):
            yield _credential(identity, f"access-key-{number}", "key", row.get(rotated),
                              row.get(f"access_key_{number}_last_used_date", ""), active=active)


def _certificates(row: dict[str, str], identity: str) -> Iterator[Row]:
    for number in (1, 2):
        active, rotated = _flag(row.get(f"cert_{number}_active")), f"cert_{number}_last_rotated"
        if active or _stated(row, rotated):
            yield _credential(identity, f"certificate-{number}", "cert", row.get(rotated), "", active=active)


def _credential(identity: str, name: str, kind: str, created: str | None, used: str, *, active: bool | None) -> Row:
    moment, dated = parse_time(used), parse_time(created)
    since = _RECORDED_SINCE.get(kind)
    never = used.strip().lower() in ("n/a", "no_information") and since is not None and (
        dated is not None and dated >= since)
    return {
        "identity_id": identity, "credential_id": f"{identity}/{name}", "kind": kind,
        "created_at": dated, "last_used_at": moment,
        "last_used_basis": "report" if moment else "never" if never else None,
        "status": None if active is None else "active" if active else "inactive",
    }


def lowered(raw: bytes | msgspec.Raw) -> dict[str, str]:
    """A CSV row with its column names in lower case."""
    decoded: dict[str, str] = msgspec.json.decode(raw, type=dict[str, str])
    return {name.strip().lower(): value for name, value in decoded.items()}
