"""The AWS principals of an estate: users, roles and groups, with what is needed to read policies about them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    import polars as pl

Sort = Literal["user", "role", "group", "other"]
_BY_PREFIX: Mapping[str, Sort] = {"AIDA": "user", "AROA": "role", "AGPA": "group"}
_BY_SUBKIND: Mapping[str, Sort] = {"iam_user": "user", "iam_role": "role", "iam_group": "group"}


@dataclass(frozen=True, slots=True)
class Principal:
    """One AWS principal. ``listed``: an account authorization export lists it, so its grants should all be there.

    ``arn`` is the fullest of its ``arns`` (a group is also named without its path).
    """

    id: str
    sort: Sort
    account: str
    arn: str | None
    arns: tuple[str, ...]
    label: str
    created_at: datetime | None
    listed: bool

    @property
    def name(self) -> str:
        """The name at the end of the ARN, without path."""
        return self.arn.rsplit("/", 1)[-1] if self.arn else self.label

    @property
    def root(self) -> bool:
        """Is it the root user of its account?"""
        return native(self.id)[1] == "root" or (self.arn or "").endswith(":root")

    @property
    def service_linked(self) -> bool:
        """Is it a role that a service keeps for itself?"""
        return ":role/aws-service-role/" in (self.arn or "")

    @property
    def username(self) -> str | None:
        """What ``${aws:username}`` stands for; null for roles and groups, which have none."""
        return self.name if self.sort == "user" else None


def native(identity: str) -> tuple[str, str]:
    """Tenant and native id of ``<provider>:<tenant>:<native id>``."""
    parts = identity.split(":", 2)
    return (parts[1], parts[2]) if len(parts) == 3 else ("", identity)


def arn_of(identity: str) -> str | None:
    """The ARN inside an id of the ARN form; null for the immutable forms."""
    return native(identity)[1] if native(identity)[1].startswith("arn:") else None


def account_of(arn: str) -> str | None:
    """Account of an ARN; null when it names none."""
    parts = arn.split(":", 5)
    return parts[4] or None if len(parts) == 6 else None


def is_service(identity: str) -> bool:
    """Is it an AWS service, such as ``aws:service:ec2.amazonaws.com``?"""
    return native(identity)[1].endswith((".amazonaws.com", ".amazonaws.com.cn", ".amazon.com"))


def aws_principals(identities: pl.DataFrame) -> list[Principal]:
    """Users, roles and groups among the identities of provider aws, by id; services are none.

    A credential report, a list of users or a log names principals without what is granted to them: not listed, so
    their grants are not known.
    """
    found = []
    wanted = ("id", "kind", "subkind", "display_name", "alt_ids", "created_at", "grants_listed", "tenant",
              "provider")
    for row in identities.select(wanted).sort("id").iter_rows():
        identity, kind, subkind, label, alt_ids, created_at, grants_listed, tenant, provider = row
        if (provider or identity.split(":", 1)[0]) != "aws" or is_service(identity):
            continue
        account, key = native(identity)
        arns = sorted({alt["value"] for alt in alt_ids or () if alt["kind"] == "arn" and ":iam:" in alt["value"]},
                      key=lambda arn: (-len(arn), arn))
        arn = arn_of(identity) or (arns[0] if arns else None)
        found.append(Principal(identity, _sort(kind, subkind, arn, key), tenant or account, arn, tuple(arns),
                               label or (arn or key).rsplit("/", 1)[-1], created_at, bool(grants_listed)))
    return found


def _sort(kind: str | None, subkind: str | None, arn: str | None, key: str) -> Sort:
    resource = arn.split(":", 5)[-1] if arn else ""
    for sort in ("user", "role", "group"):
        if resource.startswith(f"{sort}/"):
            return sort
    if subkind is not None and subkind in _BY_SUBKIND:
        return _BY_SUBKIND[subkind]
    if key[:4] in _BY_PREFIX:
        return _BY_PREFIX[key[:4]]
    return "group" if kind == "group" else "other"
