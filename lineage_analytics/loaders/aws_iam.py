"""AWS IAM inventories: account authorization details and credential reports (sources 2.4).

A record is one user, group, role or policy of ``get-account-authorization-details`` (paged output may be several
files), or one row of the credential report (the CSV, or the CLI's JSON envelope around it, base64 or plain). Policy
documents may be objects or URL-encoded JSON; of a managed policy only the default version counts. The export states
no date, so ``as_of`` and ``snapshot_at`` are null, except where a credential report says when it was generated.

An AWS-managed policy that an account holds but the export does not include stays unread: who holds it has unknown
permissions. A document that cannot be read leaves one statement that says nothing, so that the policy does not pass
for empty.
"""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

import msgspec
import polars as pl

from lineage_analytics import tables
from lineage_analytics.loaders import _iam_policy as policies
from lineage_analytics.loaders import _iam_report as report
from lineage_analytics.loaders.common import records
from lineage_analytics.loaders.common.contract import Batch, Chunk, Fault, Match
from lineage_analytics.loaders.common.ids import identity_id, record_id
from lineage_analytics.loaders.common.sampling import decode_object
from lineage_analytics.loaders.common.scan import elements
from lineage_analytics.loaders.common.times import parse_time

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lineage_analytics.loaders.common.contract import Document, Sample

PROVIDER = "aws"
LATENESS = timedelta(0)

_LISTS = ("UserDetailList", "GroupDetailList", "RoleDetailList", "Policies")
_RECORD_BYTES = 16 << 20
_ENVIRONMENTS = {"prod": "prod", "production": "prod", "prd": "prod", "live": "prod", "dev": "non-prod",
                 "development": "non-prod", "test": "non-prod", "testing": "non-prod", "qa": "non-prod",
                 "staging": "non-prod", "stage": "non-prod", "sandbox": "non-prod", "non-prod": "non-prod",
                 "nonprod": "non-prod", "uat": "non-prod"}
Row = dict[str, Any]


def detect(sample: Sample) -> Match | None:
    """Authorization details by their four lists, a credential report by its header or its envelope."""
    found = sample.keys & set(_LISTS)
    if found - {"Policies"} or (found and sample.keys <= {*_LISTS, "IsTruncated", "Marker"}):
        return Match("authorization_details", 0.95, f"an object with {', '.join(sorted(found))}")
    if tuple(name.lower() for name in sample.columns[:3]) == report.SOURCE_COLUMNS:
        return Match("credential_report", 0.95, "a CSV whose columns begin user, arn, user_creation_time")
    if {"Content", "ReportFormat"} <= sample.keys:
        return Match("credential_report_json", 0.9, "an object with Content and ReportFormat")
    return None


def extract(document: Document) -> Iterator[Chunk]:
    """The entries of the four lists, tagged with their list; or the rows of the report."""
    if document.shape == "credential_report":
        yield from records.csv_chunks(document)
    elif document.shape == "credential_report_json":
        envelope = decode_object(records.whole(document))
        if envelope is None:
            yield Chunk(0, [], faults=[Fault(0, "broken_json", "not a credential report envelope")])
            return
        text, generated = report.unwrapped(envelope)
        for chunk in records.csv_chunks(cast("Document", report.Text(text))):
            chunk.context = {"generated": generated}
            yield chunk
    else:
        yield _details(document)


def _details(document: Document) -> Chunk:
    data = records.whole(document)
    damage = getattr(document, "damage", None)
    raws: list[bytes | msgspec.Raw] = []
    tags: list[str] = []
    faults: list[Fault] = []
    try:
        lists = msgspec.json.decode(data, type=dict[str, msgspec.Raw])
        for name in _LISTS:
            inner = msgspec.json.decode(lists[name], type=list[msgspec.Raw] | None) if name in lists else None
            raws += inner or []
            tags += [name] * len(inner or [])
    except (msgspec.DecodeError, UnicodeDecodeError):
        raws, tags = [], []
        for name in _LISTS:
            if b'"' + name.encode() + b'"' in data:
                found = [raw for raw, reason in elements(iter((data,)), name, _RECORD_BYTES) if reason is None]
                raws += found
                tags += [name] * len(found)
        faults.append(Fault(len(raws), "truncated" if damage or not data.rstrip().endswith(b"}") else "broken_json",
                            str(damage or "the document ends or breaks inside an entry")))
    return Chunk(0, raws, tags, faults, truncated=bool(damage))


def transform(chunk: Chunk, document: Document) -> Batch:
    """Identity facts, credentials, grants and resources of one chunk."""
    found = _Found(document)
    for number, raw in enumerate(chunk.raws):
        position = chunk.start + number
        try:
            if chunk.tags:
                _entry(found, chunk.tags[number], _object(raw), position)
            else:
                _report_row(found, report.lowered(raw), chunk.context.get("generated"), position)
        except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
            detail = f"wanted an entry with its ARN and names: {type(error).__name__}"
            found.faults.append(Fault(position, "incomplete", detail))
    return Batch(
        pl.Series("record_id", found.ids, dtype=pl.String),
        {name: found.frame(name) for name in ("identity_facts", "credentials", "entitlements", "resources")},
        [*chunk.faults, *found.faults],
    )


class _Found:
    """Rows by table, each with where it came from."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._rows: dict[str, list[Row]] = {}
        self.ids: list[str] = []
        self.faults: list[Fault] = []

    def record(self, account: str, native: str, content: object, position: int) -> Callable[..., None]:
        """Count a record; gives a function that adds its rows. The same content again is the same record."""
        digest = hashlib.sha256(msgspec.json.encode(content, order="sorted")).hexdigest()[:24]
        made = record_id(PROVIDER, account, f"{native}#{digest}")
        self.ids.append(made)
        where = {"tenant": account, "provider": PROVIDER, "source": "aws_iam", "record_id": made, "raw_ref": {
            "file_sha256": self._document.file_sha256, "member": self._document.member, "offset": position}}

        def add(table: str, *rows: Row) -> None:
            self._rows.setdefault(table, []).extend({**row, **where} for row in rows)

        return add

    def frame(self, name: str) -> pl.DataFrame:
        table = tables.ALL[name]
        rows = self._rows.get(name, [])
        return pl.DataFrame(rows, schema=table.schema) if rows else table.empty()


def _object(raw: bytes | msgspec.Raw) -> Row:
    found = decode_object(raw)
    if found is None:
        raise ValueError
    return found


def _report_row(found: _Found, row: dict[str, str], generated: str | None, position: int) -> None:
    fact, credentials = report.facts(row, parse_time(generated))
    add = found.record(fact["tenant"], f"credential-report/{row['arn']}", [row, generated], position)
    add("identity_facts", fact)
    add("credentials", *credentials)


def _entry(found: _Found, kind: str, entry: Row, position: int) -> None:
    arn = str(entry["Arn"])
    parts = arn.split(":")
    if parts[0] != "arn":
        raise ValueError
    if kind == "Policies":
        _policy(found, entry, arn, position)
        return
    account = parts[4]
    id_key, sort = {"UserDetailList": ("UserId", "user"), "GroupDetailList": ("GroupId", "group"),
                    "RoleDetailList": ("RoleId", "role")}[kind]
    identity = identity_id("aws", account, str(entry.get(id_key) or arn))
    add = found.record(account, arn, _decoded(entry), position)
    if sort == "role":
        _role(entry, identity, account, add)
    else:
        fact = {"kind": "group" if sort == "group" else "unknown", "subkind": f"iam_{sort}",
                "kind_basis": "an IAM group" if sort == "group"
                else "an IAM user; authorization details show no password"}
        add("identity_facts", _fact(entry, identity, arn, sort) | fact)
    for name in listed_names(entry.get("GroupList")):
        add("entitlements", _grant(identity, "membership", name, f"aws:{account}:{_group_arn(arn, name)}"))
    _policies(entry, identity, add)


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
    tags = {str(tag["Key"]).lower(): str(tag["Value"]) for tag in policies.listed(entry.get("Tags"))
            if isinstance(tag, dict) and "Key" in tag and "Value" in tag}
    owner = next((tags[name] for name in ("owner", "owner-email", "owner_email") if tags.get(name)), None)
    stage = next((tags[name].lower() for name in ("environment", "env", "stage") if tags.get(name)), "")
    name = str(entry.get(f"{sort.capitalize()}Name") or arn.rsplit("/", 1)[-1])
    alternatives = {arn, f"{arn.split('/', 1)[0]}/{name}"} if sort == "group" else {arn}
    return {
        "id": identity, "display_name": name, "alt_ids": [{"kind": "arn", "value": a} for a in sorted(alternatives)],
        "owner": [{"id": owner, "basis": "tag"}] if owner else None,
        "purpose": tags.get("purpose") or tags.get("description") or entry.get("Description") or None,
        "environment": _ENVIRONMENTS.get(stage), "created_at": parse_time(entry.get("CreateDate")),
        "last_seen_at": parse_time((entry.get("RoleLastUsed") or {}).get("LastUsedDate")), "basis": "inventory",
    }


def _grant(principal: str, kind: str, name: str, scope: str, origin: str = "direct") -> Row:
    return {"principal_id": principal, "grant_kind": kind, "privilege": name, "scope": scope, "effect": "allow",
            "state": "standing", "origin": origin}


def _role(entry: Row, identity: str, account: str, add: Callable[..., None]) -> None:
    arn = str(entry["Arn"])
    trust = policies.document(entry.get("AssumeRolePolicyDocument"))
    rows, shown = policies.trusts(trust, identity, account) if trust else ([], set())
    linked = "/aws-service-role/" in arn
    kind, basis = _role_kind(shown, linked=linked)
    add("identity_facts", _fact(entry, identity, arn, "role") | {
        "kind": kind, "kind_basis": basis, "subkind": "iam_role",
        "excluded_reason": "provider_managed" if linked else "human_role" if kind == "role" else None})
    add("entitlements", *rows)
    for profile in policies.listed(entry.get("InstanceProfileList")):
        if isinstance(profile, dict) and profile.get("Arn"):
            add("resources", {"id": f"aws:{account}:{profile['Arn']}", "kind": "instance_profile",
                              "display_name": str(profile.get("InstanceProfileName") or "")})


def _role_kind(shown: set[str], *, linked: bool) -> tuple[str, str]:
    if linked:
        return "workload", "a service-linked role"
    if policies.SOFTWARE in shown:
        also = "; people may assume it too" if policies.PEOPLE in shown else ""
        return "workload", f"its trust policy names a service or a federated workload{also}"
    if policies.PEOPLE in shown:
        return "role", "its trust policy names only people's single sign-on"
    return "unknown", "its trust policy names accounts or roles only; nothing shows who assumes it"


def _policies(entry: Row, identity: str, add: Callable[..., None]) -> None:
    """Attached and inline policies, and the permissions boundary."""
    for attached in policies.listed(entry.get("AttachedManagedPolicies")):
        arn = str(attached["PolicyArn"])
        add("entitlements", _grant(identity, "attachment", str(attached.get("PolicyName") or arn), policy_id(arn),
                                   "managed"))
    boundary = (entry.get("PermissionsBoundary") or {}).get("PermissionsBoundaryArn")
    if boundary:
        add("entitlements", _grant(identity, "boundary", str(boundary).rsplit("/", 1)[-1], policy_id(str(boundary)),
                                   "boundary"))
    for key in ("UserPolicyList", "GroupPolicyList", "RolePolicyList"):
        for inline in policies.listed(entry.get(key)):
            name = str(inline["PolicyName"])
            inline_id = f"{identity}/inline/{name}"
            add("entitlements", _grant(identity, "attachment", name, inline_id, "inline"))
            _statements(inline.get("PolicyDocument"), inline_id, name, add)


def policy_id(arn: str) -> str:
    """AWS-managed policies are the same in every account; a customer's belong to theirs."""
    return f"aws:{arn.split(':')[4] if arn.count(':') >= 5 else ''}:{arn}"


def _statements(value: object, owner: str, name: str, add: Callable[..., None]) -> None:
    read = policies.document(value)
    add("entitlements", *(policies.statements(read, owner, name) if read else [policies.unreadable(owner, name)]))


def _policy(found: _Found, entry: Row, arn: str, position: int) -> None:
    identity = policy_id(arn)
    account = identity.split(":")[1]
    name = str(entry.get("PolicyName") or arn.rsplit("/", 1)[-1])
    add = found.record(account, arn, _decoded(entry), position)
    add("resources", {"id": identity, "kind": "policy", "display_name": name})
    versions = [v for v in policies.listed(entry.get("PolicyVersionList")) if isinstance(v, dict)]
    default = next((v for v in versions if v.get("IsDefaultVersion")), {})
    _statements(default.get("Document"), identity, name, add)
