"""AWS IAM inventories: account authorization details and credential reports (sources 2.4).

A record is one user, group, role or policy of ``get-account-authorization-details``, one row of the credential report,
one managed policy in a file of its own that states its ARN, one node or policy of an organisation, one policy of a
resource, or the totals of an account.

Shapes  the details, paged as several files or pages one after another in one; answers of ``list-users``, ``get-role``
        and their kin (``get-group`` also says who is in it); the report as CSV or in the CLI's JSON envelope, base64
        or plain; policy documents as objects or URL-encoded JSON; ``organizations list-accounts``, ``list-roots``,
        ``list-organizational-units-for-parent``, ``describe-policy``, and trees of units and accounts with their
        service control policies; ``get-account-summary``; lists of ``Resource``, ``Policy``, ``Account``.
Maps    users, groups and roles to ``identity_facts``; keys, passwords and certificates to ``credentials``; attachments,
        memberships, boundaries, statements and trusts to ``entitlements``; policies, instance profiles, accounts, units
        and totals to ``resources``; service control policies to ``boundary`` of what they are attached to.
Drops   policy versions that are not the default; password policies and the region of a role's last use; e-mail
        addresses of accounts. Answers that do not say whose they are (``list-access-keys``, ``list-user-policies``,
        ``list-attached-role-policies``, ``get-policy-version`` ...): ``out_of_scope``, with what to export instead.
Schema  the IAM API of 2010-05-08, the report's 22 columns; unknown keys of users, groups, roles and policies are kept
        in ``unmapped``.

The export states no date, so ``as_of`` and ``snapshot_at`` are null, except where a credential report says when it was
generated: dates inside an export are a lower bound of its age, not its date. An AWS-managed policy that an account
holds but no export includes stays unread: who holds it has unknown permissions. A document that cannot be read leaves
one statement that says nothing, so that the policy does not pass for empty. An id that one export gives to several
names nobody: they are told apart by their ARNs.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

import msgspec
import polars as pl

from lineage_analytics import tables
from lineage_analytics.loaders import _iam_answers as answers
from lineage_analytics.loaders import _iam_details as details
from lineage_analytics.loaders import _iam_organization as organization
from lineage_analytics.loaders import _iam_policy as policies
from lineage_analytics.loaders import _iam_report as report
from lineage_analytics.loaders import _iam_shared_ids as shared_ids
from lineage_analytics.loaders._iam_policy import EntryError, inner, needed, objects, text
from lineage_analytics.loaders._inventory_rows import csv_chunks
from lineage_analytics.loaders.common import records
from lineage_analytics.loaders.common.contract import Batch, Chunk, Fault, Match
from lineage_analytics.loaders.common.ids import identity_id, record_id
from lineage_analytics.loaders.common.leftovers import unmapped
from lineage_analytics.loaders.common.sampling import decode_object
from lineage_analytics.loaders.common.times import parse_time

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lineage_analytics.loaders.common.contract import Document, Sample

PROVIDER = "aws"
LATENESS = timedelta(0)
FEEDS = frozenset({"credentials", "entitlements", "identity_facts", "resources"})

_MANAGED = "ManagedPolicy"
_POLICY_ARN = re.compile(rb'"arn:aws[a-z-]*:iam::(aws|\d{12}):policy/[^"]+"')
_KEYS = {"UserDetailList": ("UserId", "user"), "GroupDetailList": ("GroupId", "group"),
         "RoleDetailList": ("RoleId", "role")}
_ENVIRONMENTS = {"prod": "prod", "production": "prod", "prd": "prod", "live": "prod", "dev": "non-prod",
                 "development": "non-prod", "test": "non-prod", "testing": "non-prod", "qa": "non-prod",
                 "staging": "non-prod", "stage": "non-prod", "sandbox": "non-prod", "non-prod": "non-prod",
                 "nonprod": "non-prod", "uat": "non-prod"}
Row = dict[str, Any]


def detect(sample: Sample) -> Match | None:
    """Authorization details by their four lists, a credential report by its header or envelope, a policy by its ARN."""
    keys = {key.lower() for key in sample.keys}
    found = details.lists_of(keys)
    if found - {"Policies"} or (found and keys <= {*(name.lower() for name in details.LISTS), "istruncated", "marker"}):
        return Match("authorization_details", 0.95, f"an object with {', '.join(sorted(found))}")
    if details.is_answer(sample.keys, sample.head):
        return Match("authorization_details", 0.9, "users, groups or roles with ARNs of IAM")
    if tuple(name.lower() for name in sample.columns[:3]) == report.SOURCE_COLUMNS:
        return Match("credential_report", 0.95, "a CSV whose columns begin user, arn, user_creation_time")
    if {"content", "reportformat"} <= keys:
        return Match("credential_report_json", 0.9, "an object with Content and ReportFormat")
    if sample.wrapper == "object" and {"arn", "document"} <= keys and _POLICY_ARN.search(sample.head):
        return Match("managed_policy", 0.9, "an object with a policy's arn and document")
    if sample.wrapper == "object" and answers.about(sample.keys) is not None:
        return Match("unnamed", 0.9, "an answer of IAM about somebody it does not name")
    shape = organization.shape_of(sample)
    return None if shape is None else Match(shape, 0.9, "an organisation, an account's totals or policies of resources")


def extract(document: Document) -> Iterator[Chunk]:
    """The entries of the four lists, tagged with their list; the rows of the report; or the one policy."""
    if document.shape == "credential_report":
        yield from csv_chunks(document)
    elif document.shape == "credential_report_json":
        yield from _enveloped(document)
    elif document.shape == "managed_policy":
        yield _alone(document)
    elif document.shape == "unnamed":
        yield answers.chunk(document)
    elif document.shape in ("organization", "account_summary", "resource_policies"):
        yield from organization.chunks(document)
    else:
        yield from details.chunks(document)


def settle(tables_: Mapping[str, pl.LazyFrame]) -> dict[str, pl.LazyFrame]:
    """Users and roles of one export that share a unique id are known by their ARNs."""
    return shared_ids.by_arn(tables_, "aws_iam")


def _enveloped(document: Document) -> Iterator[Chunk]:
    envelope = decode_object(records.whole(document))
    damage = getattr(document, "damage", None)
    unwrapped = None if envelope is None else report.unwrapped(envelope)
    if unwrapped is None:
        yield Chunk(0, [], faults=[Fault(0, "truncated" if damage else "broken_json",
                                         "wanted a credential report in Content, base64 or plain")],
                    truncated=bool(damage))
        return
    for chunk in csv_chunks(cast("Document", report.Text(unwrapped[0], damage))):
        chunk.context = {"generated": unwrapped[1]}
        yield chunk


def _alone(document: Document) -> Chunk:
    found = records.lone(document, "one managed policy as a JSON object")
    return found if isinstance(found, Chunk) else Chunk(0, [msgspec.json.encode(found)], [_MANAGED])


def transform(chunk: Chunk, document: Document) -> Batch:
    """Identity facts, credentials, grants and resources of one chunk."""
    found = _Found(document)
    for number, (position, raw) in enumerate(chunk.placed()):
        try:
            if chunk.tags:
                found.keep(_entry(chunk.tags[number], _object(raw)), position)
            else:
                found.keep(_report_row(report.lowered(raw), chunk.context.get("generated")), position)
        except EntryError as error:
            found.faults.append(Fault(position, "incomplete", str(error)))
        except (KeyError, IndexError, TypeError, ValueError, AttributeError, RecursionError) as error:
            detail = f"wanted an entry as IAM writes it: {type(error).__name__}"
            found.faults.append(Fault(position, "incomplete", detail))
    return Batch(
        pl.Series("record_id", found.ids, dtype=pl.String),
        {name: found.frame(name) for name in ("identity_facts", "credentials", "entitlements", "resources")},
        [*chunk.faults, *found.faults],
    )


@dataclass
class _Entry:
    """What one record says: its rows by table. The same ``content`` again is the same record."""

    account: str
    native: str
    content: str
    rows: list[tuple[str, Row]] = field(default_factory=list)

    def add(self, table: str, *rows: Row) -> None:
        self.rows += [(table, row) for row in rows]


class _Found:
    """Rows by table, each with where it came from."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._rows: dict[str, list[Row]] = {}
        self.ids: list[str] = []
        self.faults: list[Fault] = []

    def keep(self, entry: _Entry, position: int) -> None:
        """Count a record that was understood as a whole, and its rows."""
        digest = hashlib.sha256(entry.content.encode()).hexdigest()[:24]
        made = record_id(PROVIDER, entry.account, f"{entry.native}#{digest}")
        self.ids.append(made)
        where = {"tenant": entry.account if entry.account.isdigit() else None, "provider": PROVIDER,
                 "source": "aws_iam", "record_id": made, "raw_ref": {
                     "file_sha256": self._document.file_sha256, "member": self._document.member, "offset": position}}
        for table, row in entry.rows:
            self._rows.setdefault(table, []).append({**row, **where})

    def frame(self, name: str) -> pl.DataFrame:
        table = tables.ALL[name]
        rows = self._rows.get(name, [])
        return pl.DataFrame(rows, schema=table.schema) if rows else table.empty()


def _object(raw: bytes | msgspec.Raw) -> Row:
    found = decode_object(raw)
    if found is None:
        raise EntryError("wanted a JSON object")
    return details.spelled(found)


def _report_row(row: dict[str, str], generated: str | None) -> _Entry:
    fact, credentials = report.facts(row, parse_time(generated))
    content = policies.canonical({"row": row, "generated": generated})
    entry = _Entry(fact["tenant"], f"credential-report/{row['arn']}", content)
    entry.add("identity_facts", fact)
    entry.add("credentials", *credentials)
    return entry


def _entry(kind: str, said: Row) -> _Entry:
    if kind in organization.TAGS or (kind == "Policies" and ":organizations:" in str(said.get("Arn"))):
        account, native, rows = organization.read(kind if kind in organization.TAGS else organization.POLICY, said)
        entry = _Entry(account, native, policies.canonical(said))
        for table, row in rows:
            entry.add(table, row)
        return entry
    if kind == _MANAGED:
        said = {"Arn": said.get("Arn"), "PolicyName": said.get("name"), "PolicyVersionList": [
            {"IsDefaultVersion": True, "Document": said.get("Document")}]}
    arn = needed(said, "Arn")
    if not arn.startswith("arn:") or arn.count(":") < 5:
        raise EntryError("wanted an ARN in Arn, found other text")
    if kind not in _KEYS:
        return _policy(said, arn)
    account = arn.split(":")[4]
    id_key, sort = _KEYS[kind]
    identity = identity_id("aws", account, text(said, id_key) or arn)
    entry = _Entry(account, arn, policies.canonical(_decoded(said)))
    if sort == "role":
        _role(said, identity, account, entry)
    else:
        fact = {"kind": "group" if sort == "group" else "unknown", "subkind": f"iam_{sort}",
                "kind_basis": "an IAM group" if sort == "group"
                else "an IAM user; authorization details show no password"}
        entry.add("identity_facts", _fact(said, identity, arn, sort) | fact)
    for name in listed_names(said.get("GroupList")):
        entry.add("entitlements", _grant(identity, "membership", name, f"aws:{account}:{_group_arn(arn, name)}"))
    _policies(said, identity, entry)
    return entry


def listed_names(value: object) -> list[str]:
    return [str(name) for name in policies.listed(value)]


def _group_arn(user_arn: str, name: str) -> str:
    """A user's group list gives names only: the group without its path, which the group itself also answers to."""
    return f"{user_arn.rsplit(':', 1)[0]}:group/{name}"


def _decoded(entry: Row) -> Row:
    """The entry with policy documents as objects, so that either encoding is the same content."""
    return {key: policies.document(value) or value if key.endswith("Document") else
            [_decoded(item) if isinstance(item, dict) else item for item in value] if isinstance(value, list) else value
            for key, value in entry.items()}


def _fact(entry: Row, identity: str, arn: str, sort: str) -> Row:
    tags = {str(tag["Key"]).lower(): str(tag["Value"]).strip() for tag in objects(entry, "Tags")
            if "Key" in tag and "Value" in tag}
    owner = next((tags[name] for name in ("owner", "owner-email", "owner_email") if tags.get(name)), None)
    stage = next((tags[name].lower() for name in ("environment", "env", "stage") if tags.get(name)), "")
    name = text(entry, f"{sort.capitalize()}Name") or arn.rsplit("/", 1)[-1]
    alternatives = {arn, f"{arn.split('/', 1)[0]}/{name}"} if sort == "group" else {arn}
    return {
        "id": identity, "display_name": name, "alt_ids": [{"kind": "arn", "value": a} for a in sorted(alternatives)],
        "owner": [{"id": owner, "basis": "tag"}] if owner else None,
        "purpose": tags.get("purpose") or tags.get("description") or text(entry, "Description"),
        "environment": _ENVIRONMENTS.get(stage), "created_at": parse_time(entry.get("CreateDate")),
        "last_seen_at": parse_time(inner(entry, "RoleLastUsed").get("LastUsedDate") or entry.get("PasswordLastUsed")),
        "basis": "inventory", "grants_listed": True if "AttachedManagedPolicies" in entry else None,
        "unmapped": unmapped(entry, details.KNOWN),
    }


def _grant(principal: str, kind: str, name: str, scope: str, origin: str = "direct") -> Row:
    return {"principal_id": principal, "grant_kind": kind, "privilege": name, "scope": scope, "effect": "allow",
            "state": "standing", "origin": origin}


def _role(said: Row, identity: str, account: str, entry: _Entry) -> None:
    arn = needed(said, "Arn")
    trust = policies.document(said.get("AssumeRolePolicyDocument"))
    rows, named = policies.trusts(trust, identity, account) if trust else ([], set())
    linked = "/aws-service-role/" in arn
    kind, basis = _role_kind(None if trust is None else named, linked=linked)
    entry.add("identity_facts", _fact(said, identity, arn, "role") | {
        "kind": kind, "kind_basis": basis, "subkind": "iam_role",
        "excluded_reason": "provider_managed" if linked else "human_role" if kind == "role" else None})
    entry.add("entitlements", *rows)
    for profile in objects(said, "InstanceProfileList"):
        if text(profile, "Arn"):
            entry.add("resources", {"id": f"aws:{account}:{profile['Arn']}", "kind": "instance_profile",
                                    "display_name": text(profile, "InstanceProfileName")})


def _role_kind(named: set[str] | None, *, linked: bool) -> tuple[str, str]:
    """The kind of a role and why, from what its trust policy names; ``named`` null: no policy that could be read."""
    if linked:
        return "workload", "a service-linked role"
    if named is None:
        return "unknown", "its trust policy is missing or could not be read"
    if policies.SOFTWARE in named:
        also = "; people may assume it too" if policies.PEOPLE in named else ""
        return "workload", f"its trust policy names a service or a federated workload{also}"
    others = " and ".join(sorted(named - {policies.PEOPLE}))
    if policies.PEOPLE in named:
        also = f"; {others} it names show neither people nor software" if others else ""
        return "role", f"its trust policy names people's single sign-on and no software{also}"
    if not others:
        return "unknown", "its trust policy allows nobody"
    return "unknown", f"its trust policy names {others} only; nothing shows who assumes it"


def _policies(said: Row, identity: str, entry: _Entry) -> None:
    """Attached and inline policies, and the permissions boundary."""
    for attached in objects(said, "AttachedManagedPolicies"):
        arn = needed(attached, "PolicyArn")
        entry.add("entitlements", _grant(identity, "attachment", text(attached, "PolicyName") or arn, policy_id(arn),
                                         "managed"))
    boundary = text(inner(said, "PermissionsBoundary"), "PermissionsBoundaryArn")
    if boundary:
        entry.add("entitlements", _grant(identity, "boundary", boundary.rsplit("/", 1)[-1], policy_id(boundary),
                                         "boundary"))
    for key in ("UserPolicyList", "GroupPolicyList", "RolePolicyList"):
        for inline in objects(said, key):
            name = needed(inline, "PolicyName")
            inline_id = f"{identity}/inline/{name}"
            entry.add("entitlements", _grant(identity, "attachment", name, inline_id, "inline"))
            _statements(inline.get("PolicyDocument"), inline_id, name, entry)


def policy_id(arn: str) -> str:
    """AWS-managed policies are the same in every account; a customer's belong to theirs."""
    return f"aws:{arn.split(':')[4] if arn.count(':') >= 5 else ''}:{arn}"


def _statements(value: object, owner: str, name: str, entry: _Entry) -> None:
    read = policies.document(value)
    entry.add("entitlements", *(policies.statements(read, owner, name) if read else [policies.unreadable(owner, name)]))


def _policy(said: Row, arn: str) -> _Entry:
    identity = policy_id(arn)
    name = text(said, "PolicyName") or arn.rsplit("/", 1)[-1]
    entry = _Entry(identity.split(":")[1], arn, policies.canonical(_decoded(said)))
    entry.add("resources", {"id": identity, "kind": "policy", "display_name": name, "unmapped": unmapped(
        said, details.KNOWN)})
    versions = objects(said, "PolicyVersionList")
    default = next((v for v in versions if v.get("IsDefaultVersion") is True), None) or next(
        (v for v in versions if v.get("VersionId") and v["VersionId"] == said.get("DefaultVersionId")), {})
    if versions:  # a list of policies says nothing of what is in them
        _statements(default.get("Document"), identity, name, entry)
    return entry
