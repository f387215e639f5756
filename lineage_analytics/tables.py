"""The canonical tables: every column with its dtype, its meaning and what null means.

A fact table holds what records say, one row per statement, and every row carries where it came from
(``source``, ``record_id``, ``raw_ref``). A derived table is a pure function of the facts, the parameters
and ``as_of``. Times are UTC with microseconds, ids are text, and null means unknown unless a column says
otherwise: never zero, never false.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from lineage_analytics.decision_tables import (
    CASES,
    DECISION_FINDINGS,
    ELEMENTS,
    GAPS,
    INVOLVEMENT,
    LINK_REJECTS,
    LINKS,
    STEPS,
    WORKFLOWS,
)
from lineage_analytics.errors import LineageError
from lineage_analytics.schema import (
    AGENT_CLASSES,
    ALT_IDS,
    AUTHORITY_MODES,
    KINDS,
    OUTCOMES,
    OWNERS,
    PROVENANCE,
    RAW_REF,
    STEP_KINDS,
    TEXTS,
    TIME,
    UNMAPPED,
    Column,
    Table,
    columns_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = [
    "ACCOUNTS", "ACTIVITY", "AGENT_CLASSES", "ALIASES", "ALL", "ALT_IDS", "ASSISTANT_ACCESS", "AUTHORITY_MODES",
    "CASES", "CONTENT_HASHES", "COVERAGE", "CREDENTIALS", "DECISION_FINDINGS", "DECISION_STEPS", "DELEGATIONS",
    "DRIFT", "EDGES", "ELEMENTS", "ENTITLEMENTS", "EVIDENCE", "FACETS", "FACTS", "GAPS", "IDENTITIES",
    "IDENTITY_FACTS", "INVOLVEMENT", "KINDS", "LEDGER", "LINKS", "LINK_REJECTS", "MEASURES", "NODES", "OUTCOMES",
    "OWNERS", "PERMISSIONS", "PERMISSION_USE", "PROVENANCE", "QUARANTINE", "RAW_REF", "RESOURCES", "SEQUENCES",
    "STEPS", "STEP_KINDS", "TEXTS", "TIME", "UNMAPPED", "USAGE", "WORKFLOWS", "Column", "Table",
    "closed_value_faults", "concat", "conform",
]

_IDENTITY = {
    "id": (pl.String, "<provider>:<tenant>:<immutable native id>; never a name, address or ARN alone "
                      "unless the record holds nothing better"),
    "kind": (pl.String, "what sort of principal; unknown is never folded into another", KINDS),
    "subkind": (pl.String, "the provider's finer type, e.g. iam_user; null when none"),
    "display_name": (pl.String, "label as last seen; never a key"),
    "alt_ids": (ALT_IDS, "other ids of the same principal: arn upn email login object_id principal_id app_id"),
    "owner": (OWNERS, "owners as stated, with basis owner sponsor manager created_by tag; null: none stated"),
    "owner_confirmed_at": (TIME, "when an owner last confirmed; null: not stated"),
    "purpose": (pl.String, "stated purpose; null: none stated"),
    "person_id": (pl.String, "the person behind the account where a mapping was supplied; else null"),
    "enabled": (pl.Boolean, "null: not stated"),
    "created_at": (TIME, "null: not stated"),
    "deleted_at": (TIME, "null: not deleted or not stated"),
    "last_seen_at": (TIME, "last use the source states; null: not stated, which is not 'never'"),
    "last_seen_basis": (pl.String, "what states it; null: not stated", "signin activity credential_use report"),
    "last_seen_window_days": (pl.Int64, "how far back that source looks, in days; null: not stated"),
    "environment": (pl.String, "prod or non-prod from tags or a declaration; null: unknown"),
    "parent_id": (pl.String, "identity this one derives from; null: none"),
    "grants_listed": (pl.Boolean, "true: an inventory states everything granted to it; null: none says so"),
}

IDENTITY_FACTS = Table("identity_facts", "what each source says about an identity", columns_of({
    **_IDENTITY,
    "kind_basis": (pl.String, "the evidence for kind, in words"),
    "basis": (pl.String, "inventory: listed by the provider; declared: written by the customer; "
                         "seen: only named in a log", "inventory declared seen"),
    "excluded_reason": (pl.String, "why it counts in no denominator (provider_managed, human_role); else null"),
    "snapshot_at": (TIME, "when the inventory was taken; null for seen or when not stated"),
    "unmapped": (pl.String, UNMAPPED),
    **PROVENANCE,
}))

IDENTITIES = Table("identities", "one row per principal after resolution", columns_of({
    **_IDENTITY,
    "kind_basis": (pl.String, "the evidence for kind, in words"),
    "inventoried": (pl.Boolean, "listed by an inventory or a declaration, not merely seen in a log"),
    "excluded_reason": (pl.String, "why it counts in no denominator (provider_managed, human_role); else null"),
    "snapshot_at": (TIME, "newest inventory that lists it; null when only seen"),
    "tenant": PROVENANCE["tenant"], "provider": PROVENANCE["provider"],
    "sources": (TEXTS, "loaders that speak of it"),
    "record_ids": (TEXTS, "records behind the row, at most 20"),
}), derived=True)

ALIASES = Table("aliases", "ids that mean the same principal", columns_of({
    "alias": (pl.String, "an id as some record has it"),
    "id": (pl.String, "the identity it resolves to"),
    "rule": (pl.String, "what proved it, e.g. arn, login_in_tenant, declared"),
    "tier": (pl.Int8, "5 same record .. 2 inferred; see the decision lineage tiers"),
    "valid_from": (TIME, "from when the alias means this principal; null: since ever"),
    "valid_to": (TIME, "until when; null: no end"),
}), derived=True)

ACCOUNTS = Table("accounts", "accounts of one person or workload, each its own principal", columns_of({
    "account_id": (pl.String, "the identity"),
    "person_id": (pl.String, "as declared, or person:<first account> where records alone join"),
    "rule": (pl.String, "", "declared on_premises_sid external_id equal_address"),
    "tier": (pl.Int8, "4 stated by a provider, 3 declared, 2 inferred: never counts as proved"),
    "evidence": (pl.String, "what the accounts share"),
    "record_ids": (TEXTS, "records that speak of the account, at most 20"),
}), derived=True)

CREDENTIALS = Table("credentials", "keys, secrets, certificates, passwords: ids only, never values", columns_of({
    "identity_id": (pl.String, "who uses it"),
    "credential_id": (pl.String, "key id or a stable stand-in such as <identity>/password"),
    "kind": (pl.String, "", "key secret cert password federated token ssh_key passkey session"),
    "created_at": (TIME, "created or last rotated, whichever is later; null: unknown"),
    "expires_at": (TIME, "null: none or not stated"),
    "last_used_at": (TIME, "null: never or not stated, see last_used_basis"),
    "last_used_basis": (pl.String, "report, never (the report says never used) or null (not stated)"),
    "status": (pl.String, "null: not stated", "active inactive revoked expired"),
    "held_by_id": (pl.String, "object that stores it when another identity uses it; else null"),
    "scopes": (TEXTS, "what the token may do, as stated; null: not stated"),
    "issuer": (pl.String, "federated: who vouches; null: not stated"),
    "subject": (pl.String, "federated: for whom; null: not stated"),
    "last_used_service": (pl.String, "null: not stated"),
    "last_used_region": (pl.String, "null: not stated"),
    "snapshot_at": (TIME, "when the source listed it"),
    "unmapped": (pl.String, UNMAPPED),
    **PROVENANCE,
}))

ENTITLEMENTS = Table("entitlements", "grants as the source states them", columns_of({
    "principal_id": (pl.String, "holder: identity, group, or policy id for kind=statement"),
    "grant_kind": (pl.String, "membership: principal is in group `scope`; attachment: principal holds policy "
        "`scope`; boundary: policy `scope` limits principal; statement: policy or role `principal_id` says `actions` "
        "on `resources`; trust: principal may become `scope`; role: principal holds role `privilege` over `scope`; "
        "app_role: principal holds app role `privilege` of application `scope`; delegated: client `principal_id` may "
        "use `privilege` of `scope` for those in `via`; right: principal has the right `privilege` on object `scope`; "
        "owner: principal owns `scope`",
        "membership attachment boundary statement trust role app_role delegated right owner"),
    "privilege": (pl.String, "action, role or policy name for a reader"),
    "scope": (pl.String, "what it is over: id of group, policy, role, or a directory scope; null for statements"),
    "effect": (pl.String, "", "allow deny"),
    "actions": (TEXTS, "statement: action patterns; null when the statement has NotAction"),
    "not_actions": (TEXTS, "statement: NotAction patterns; else null"),
    "resources": (TEXTS, "statement: resource patterns; null when the statement has NotResource"),
    "not_resources": (TEXTS, "statement: NotResource patterns; else null"),
    "condition": (pl.String, "condition as JSON text; null: none"),
    "state": (pl.String, "", "standing timebound eligible activated pending expired"),
    "granted_at": (TIME, "null: not stated"),
    "expires_at": (TIME, "null: no end or not stated"),
    "granted_by": (pl.String, "null: not stated"),
    "grant_id": (pl.String, "native id; null: none"),
    "via": (TEXTS, "what the grant comes through, nearest first: group, link, blueprint, ALL_PRINCIPALS; null: none"),
    "requires_approval": (pl.Boolean, "activation needs somebody's approval; null: not stated"),
    "approval_ref": (pl.String, "native id of the approval; null: none"),
    "last_used_at": (TIME, "last use the source states; null: not stated, which is not 'never'"),
    "origin": (pl.String, "direct, group_inherited, inline, managed, trust, pim ..."),
    "as_of": (TIME, "snapshot time; null: the export states none"),
    "unmapped": (pl.String, UNMAPPED),
    **PROVENANCE,
}))

ACTIVITY = Table("activity", "events, one row per record", columns_of({
    "time": (TIME, "when it happened; null: the record states none, so it is of no day and counts in no period"),
    "actor_id": (pl.String, "resolved principal: a session's role, a user folded by case; null: not stated"),
    "actor_session_id": (pl.String, "the session as logged; null: none"),
    "on_behalf_of_id": (pl.String, "whose authority was delegated; null: none seen"),
    "via_assistant_id": (pl.String, "assistant through which the call came; null: none seen"),
    "delegation_kind": (pl.String, "how on_behalf_of or via was learned; null: none"),
    "delegation_trust": (pl.String, "who says so; null: no delegation", "provider_asserted caller_asserted"),
    "action": (pl.String, "iam:AttachRolePolicy, or the operation's own name"),
    "resource_id": (pl.String, "first resource named; null: none named"),
    "extra_resource_ids": (TEXTS, "further resources named; null: none"),
    "effect_delta": (pl.String, "what changed as JSON text, e.g. added and removed bindings; null: not stated"),
    "outcome": (pl.String, "", OUTCOMES),
    "error_code": (pl.String, "null: none"),
    "permissions": (TEXTS, "permissions the provider says it checked and granted; null: the record states none"),
    "is_read": (pl.Boolean, "null: not stated"),
    "is_dry_run": (pl.Boolean, "null: not stated"),
    "ip": (pl.String, "address or service host name; null: not stated"),
    "client": (pl.String, "user agent, a hint written by the caller; null: not stated"),
    "credential_id": (pl.String, "key or token id; null: not stated"),
    "correlation_id": (pl.String, "provider's own correlation or request id; null: none"),
    "event_id": (pl.String, "native id"),
    "observed_time": (TIME, "when the provider received it; null: not stated"),
    "unmapped": (pl.String, UNMAPPED),
    **PROVENANCE,
}))

ASSISTANT_ACCESS = Table("assistant_access", "one row per interaction and resource", columns_of({
    "time": (TIME, "when the interaction was logged"),
    "user_id": (pl.String, "whose authority the assistant used; null: not stated"),
    "assistant_id": (pl.String, "the assistant; null: not stated"),
    "agent_id": (pl.String, "agent inside the assistant; null: none stated"),
    "app_host": (pl.String, "null: not stated"),
    "interaction_id": (pl.String, "record id of the interaction"),
    "thread_id": (pl.String, "null: not stated"),
    "conversation_id": (pl.String, "null: not stated"),
    "resource_id": (pl.String, "null: no resource listed, see completeness"),
    "resource_id_kind": (pl.String, "spo_url list_item_id teams_id message_id graph_id name_only data_source tool; "
                                    "null: not known"),
    "resource_type": (pl.String, "null: not stated"),
    "site_url": (pl.String, "null: not stated"),
    "label_id": (pl.String, "sensitivity label; null: unlabelled or not evaluated"),
    "access_status": (pl.String, "as stated, e.g. failure; null: not stated"),
    "policy_ids": (TEXTS, "policies that spoke on it; null: none stated"),
    "model_provider": (pl.String, "null: not stated"),
    "role": (pl.String, "accessed: listed as accessed; context: was open; none: no resource listed",
             "accessed context none"),
    "action": (pl.String, "", "read create modify unknown"),
    "policy_outcome": (pl.String, "", "none audited blocked deferred unknown"),
    "jailbreak": (pl.Boolean, "flag of the interaction; null: field absent"),
    "xpia": (pl.Boolean, "cross-prompt injection flag of the resource; null: field absent"),
    "web_grounding": (pl.Boolean, "null: field absent"),
    "trigger": (pl.String, "", "user schedule automation agent unknown"),
    "completeness": (pl.String, "of the resource list: listed, empty (present and empty), absent (no field)",
                     "listed empty absent"),
    "event_id": (pl.String, "native id"),
    **PROVENANCE,
}))

DECISION_STEPS = Table("decision_steps", "steps of decisions as records state them, before linking", columns_of({
    "step_id": (pl.String, "step-..., stable: derived from record and kind"),
    "kind": (pl.String, "", STEP_KINDS),
    "time": (TIME, "event time"),
    "time_zone": (pl.String, "of the time: null: stated, or UTC as the provider promises; assumed: the export writes "
                             "local times without a zone and they were read as UTC, so that only the order among steps "
                             "of that source holds", "assumed"),
    "operation": (pl.String, "provider's operation, e.g. iam:AttachRolePolicy"),
    "verdict": (pl.String, "for decisions: approve deny withdraw modify; else null"),
    "capacity": (pl.String, "in which somebody decided; null: not stated",
                 "requester reviewer approver system policy delegate"),
    "recommended_value": (pl.String, "what was recommended, where the record holds it; else null"),
    "decided_value": (pl.String, "what was decided; null: not stated"),
    "applied_value": (pl.String, "what was applied; null: not stated"),
    "seq": (pl.Int64, "provider's own sequence of the step; null: none"),
    "status": (pl.String, "", "succeeded failed pending unknown"),
    "initiator_id": (pl.String, "who asked, where the record says; else null"),
    "actor_id": (pl.String, "who did this step; null: not stated"),
    "actor_class": (pl.String, "from type evidence only", AGENT_CLASSES),
    "actor_class_basis": (pl.String, "the evidence, in words"),
    "on_behalf_of_id": (pl.String, "null: none seen"),
    "via_assistant_id": (pl.String, "null: none seen"),
    "authority_mode": (pl.String, "", AUTHORITY_MODES),
    "target_key": (pl.String, "normalised target of the effect; null: not stated"),
    "effect_key": (pl.String, "normalised verb(target, parameter), comparable between steps; null: unknown"),
    "before_state": (pl.String, "hash or value before, where the record says; else null"),
    "after_state": (pl.String, "hash or value after; else null"),
    "native_key_kind": (pl.String, "kind of provider key that names the case, e.g. pim_request_id; null: none"),
    "native_key": (pl.String, "its value; null: none"),
    "correlation_id": (pl.String, "null: none"),
    "quoted_keys": (TEXTS, "ticket or change keys found in free text: attacker-writable, tier 2 at most"),
    "stated_keys": (TEXTS, "keys of records of other systems in fields made for them, as <kind>:<value>; kinds that a "
                           "system writes: commit run trace request session recommendation; that a person fills in: "
                           "ticket, and in a tag of their choice: tag, tier 2 at most. Null or empty: none stated"),
    "justification_present": (pl.Boolean, "null: the source has no such field"),
    "expires_at": (TIME, "end of the authority granted; null: none stated"),
    "origin": (pl.String, "of a recommendation", "ai rule human unknown"),
    "title": (pl.String, "one line for people; untrusted text"),
    "event_id": (pl.String, "native id of the record"),
    **PROVENANCE,
}))

DELEGATIONS = Table("delegations", "authority that one principal lent another, one row per statement of a record; the "
                    "fields of OCSF's delegation object, with the two it leaves to its event", columns_of({
    "uid": (pl.String, "id of the delegation, within its organisation: that of a temporary key or token as its "
                       "issuer gives it, which steps taken with it state as `session:<uid>`; else derived from the "
                       "record"),
    "kind": (pl.String, "assumed: a role taken on; federated: a session for who signed in elsewhere; token: a token "
                        "for an application to act for a user; impersonation: calls made as another account; spawned: "
                        "an agent started by an agent; stated: a record names it, its sort unknown; null: the record "
                        "only says that a step was taken with it",
             "assumed federated token impersonation spawned stated"),
    "time": (TIME, "time of the record; null: it states none"),
    "issuer": (pl.String, "who vouches for it; null: not stated"),
    "principal_id": (pl.String, "for whom the delegate acts: the caller, one link nearer to who began it; null: not "
                                "stated"),
    "delegate_id": (pl.String, "who acts with it; null: not stated"),
    "origin_id": (pl.String, "who began the chain, as its first caller named itself; null: not stated"),
    "trust": (pl.String, "who says so", "provider_asserted caller_asserted"),
    "scopes": (TEXTS, "what it allows, as stated; null: not stated, which is not all and not nothing"),
    "audience": (TEXTS, "where it is meant to be used; null: not stated"),
    "created_at": (TIME, "null: not stated"),
    "expires_at": (TIME, "null: no end or not stated"),
    "parent_uid": (pl.String, "delegation from which it was made; null: none or not stated"),
    "step_id": (pl.String, "the step that its own record says was done with it; null: steps state its uid"),
    "event_id": (pl.String, "native id of the record"),
    "unmapped": (pl.String, UNMAPPED),
    **PROVENANCE,
}))

RESOURCES = Table("resources", "resources named by inventories and declarations", columns_of({
    "id": (pl.String, ""), "kind": (pl.String, "role policy site workflow crown_jewel ..."),
    "display_name": (pl.String, "null: none"),
    "tier0": (pl.Boolean, "declared crown jewel; null: not stated"),
    "parent_id": (pl.String, "what it lies in; null: nothing or not stated"),
    "attributes": (pl.String, "JSON text, e.g. the counts of a declared workflow; null: none"),
    "snapshot_at": (TIME, "when the source listed it; null: not stated"),
    "unmapped": (pl.String, UNMAPPED),
    **PROVENANCE,
}))

COVERAGE = Table("coverage", "what was received, per source, tenant and day; and what is expected", columns_of({
    "basis": (pl.String, "received: counted from records; expected: declared; expected_inventory: declared, and of "
                         "a kind that has no days; stated: the provider says that it delivered logs with events of "
                         "that day", "received expected expected_inventory stated"),
    "source": PROVENANCE["source"], "tenant": PROVENANCE["tenant"], "provider": PROVENANCE["provider"],
    "day": (pl.Date, "UTC day; null for an expected source"),
    "records": (pl.Int64, "accepted that day; null for an expected source"),
    "first": (TIME, "earliest event"), "last": (TIME, "latest event"),
    "lateness_seconds": (pl.Int64, "how late this source may deliver"),
    "record_id": PROVENANCE["record_id"],
}))

QUARANTINE = Table("quarantine", "what was not understood or not used", columns_of({
    "source": PROVENANCE["source"], "file": (pl.String, "path relative to the one given"),
    "member": (pl.String, "inside an archive; null: the file itself"),
    "position": (pl.Int64, "ordinal of the record in its member; null: the file as a whole"),
    "disposition": (pl.String, "quarantined: of a known source but not understood; rejected: not for us",
                    "quarantined rejected"),
    "reason": (pl.String, "short code, e.g. broken_json truncated unrecognised out_of_scope"),
    "detail": (pl.String, "for people, printable, no values that could be secret"),
    "records": (pl.Int64, "how many: rejected records of a member that are alike stand in one row, at the first"),
    "file_sha256": (pl.String, "of the file as delivered"),
}))

DRIFT = Table("drift", "what records hold that their loader does not know: formats grow", columns_of({
    "source": PROVENANCE["source"],
    "kind": (pl.String, "record_type: no rule for this type of record; key: a new key, kept in unmapped; type: a known "
                        "key with another JSON type; revision: the native id of another record with other content, "
                        "both kept under one record id", "record_type key type revision"),
    "name": (pl.String, "the type or the key; untrusted text"),
    "found": (pl.String, "JSON type found; empty for record types"),
    "records": (pl.Int64, "how many records of the member"),
    "file": (pl.String, "relative path when first seen"), "member": (pl.String, "inside an archive; null: the file"),
    "position": (pl.Int64, "ordinal of the first such record in its member"),
    "file_sha256": (pl.String, "of the file as delivered"),
}))

CONTENT_HASHES = Table("content_hashes", "log files that signed digests speak of, hashed unpacked", columns_of({
    "name": (pl.String, "file name without its folder"), "file_sha256": (pl.String, "of the file as delivered"),
    "content_sha256": (pl.String, "of what it holds, unpacked; null: it breaks off or holds several documents"),
}))

SEQUENCES = Table("sequences", "numbers with which a provider counts its records, of those that were read, used or not",
                  columns_of({
    "source": PROVENANCE["source"], "stream": (pl.String, "what counts: the computer and its log"),
    "first_number": (pl.Int64, ""), "last_number": (pl.Int64, ""),
    "records": (pl.Int64, "numbers read from the first to the last; fewer than there are: chosen records"),
    "file_sha256": (pl.String, "of the file as delivered"),
}))

LEDGER = Table("ledger", "one row per file, member and source ever ingested", columns_of({
    "file_sha256": (pl.String, "of the file as delivered"), "file": (pl.String, "relative path when first seen"),
    "bytes": (pl.Int64, "size as delivered"), "source": PROVENANCE["source"],
    "shape": (pl.String, "shapes found, + between those of an archive"),
    "seen": (pl.Int64, ""), "accepted": (pl.Int64, ""), "duplicate": (pl.Int64, ""),
    "quarantined": (pl.Int64, ""), "rejected": (pl.Int64, ""),
    "truncated": (pl.Boolean, "the file ended before it should"),
    "first": (TIME, "earliest accepted event"), "last": (TIME, "latest accepted event"),
}))

USAGE = Table("usage", "activity rolled up by actor, action and day", columns_of({
    "actor_id": (pl.String, ""), "action": (pl.String, ""), "tenant": PROVENANCE["tenant"],
    "provider": PROVENANCE["provider"], "source": PROVENANCE["source"], "day": (pl.Date, "UTC"),
    "events": (pl.Int64, "all outcomes"), "successes": (pl.Int64, "outcome success"),
    "first": (TIME, ""), "last": (TIME, ""),
}), derived=True)

PERMISSION_USE = Table("permission_use", "permissions that activity states as checked and granted, by actor and day",
                       columns_of({
    "actor_id": (pl.String, ""), "permission": (pl.String, "as the provider names it"), "tenant": PROVENANCE["tenant"],
    "provider": PROVENANCE["provider"], "source": PROVENANCE["source"], "day": (pl.Date, "UTC"),
    "events": (pl.Int64, "calls of any outcome in which it was granted"),
    "successes": (pl.Int64, "those that succeeded"), "first": (TIME, ""), "last": (TIME, ""),
}), derived=True)

NODES = Table("nodes", "nodes of the access graph", columns_of({
    "node_id": (pl.String, ""), "kind": (pl.String, "identity kind, or group role policy service resource credential "
                                         "federation directory_role, or scope: what a wildcard covers"),
    "label": (pl.String, "untrusted text"), "tier0": (pl.Boolean, ""),
    "weight": (pl.Int64, "criticality, as graphs/data/criticality.csv has it; 0: a means of access, no loss by itself"),
    "tenant": PROVENANCE["tenant"],
    "provider": PROVENANCE["provider"],
}), derived=True)

EDGES = Table("edges", "edges of the access graph", columns_of({
    "src": (pl.String, ""), "dst": (pl.String, ""),
    "rel": (pl.String, "", "member_of holds_policy bounded_by may_assume owns authenticates_with controls"),
    "state": (pl.String, "proved or conditional: the grant has a condition we did not evaluate",
              "proved conditional"),
    "technique": (pl.String, "what it takes to go along it, in words"),
    "followed": (pl.Boolean, "true: who acts as src can act as dst, or over it"),
    "reason": (pl.String, "why this edge is there, a sentence with the statement or record behind it"),
    "record_ids": (TEXTS, ""),
}), derived=True)

PERMISSIONS = Table("permissions", "per principal: how many permissions are granted, used, unused", columns_of({
    "principal_id": (pl.String, ""), "granted": (pl.Int64, "distinct granted actions; null: not known"),
    "granted_basis": (pl.String, "effective: actions after denies, limits and groups; assigned: roles, since what they "
                      "allow is not all known; null: not known", "effective assigned"),
    "used": (pl.Int64, "null: look-back too short or no log"), "unused": (pl.Int64, "as used"),
    "unobservable": (pl.Int64, "granted, but the loaded logs would not show use"),
    "too_young": (pl.Int64, "granted within the look-back"),
    "sensitive_granted": (pl.Int64, ""), "sensitive_unused": (pl.Int64, "null as used"),
    "sensitive_used": (pl.Int64, "null as used"), "sensitive_too_young": (pl.Int64, "null as used"),
    "weight_max": (pl.Int64, "highest sensitivity weight held: 0 1 3 10"),
    "wildcard": (pl.Boolean, "an action or scope wildcard without a narrowing condition; null: unknown"),
    "admin_equivalent": (pl.Boolean, "holds or reaches tier-0 control; null: unknown"),
    "admin_reason": (pl.String, "the statement or path; null when not"),
    "conditional": (pl.Boolean, "some grant depends on a condition that was not evaluated"),
    "last_used_at": (TIME, "last successful event; null: none seen"),
    "unused_sensitive_actions": (TEXTS, "at most 20, heaviest first; null as used"),
    "reason": (pl.String, "why granted or used is unknown; null when known"),
    "record_ids": (TEXTS, "records of the grants, at most 20"),
}), derived=True)

FACETS = Table("facets", "per non-human identity: the seven facets of being fully visible (VIS-14)", columns_of({
    "identity_id": (pl.String, ""),
    "facet": (pl.String, "", "inventoried owner purpose usage_visible credential_age logged permissions_resolved"),
    "state": (pl.String, "", "true false unknown"),
    "reason": (pl.String, "in words"),
    "record_ids": (TEXTS, ""),
}), derived=True)

MEASURES = Table("measures", "one row per metric and scope", columns_of({
    "metric_id": (pl.String, "PRV-01 ..."), "definition_version": (pl.String, ""),
    "scope": (pl.String, "all, or the variant"),
    "kind": (pl.String, "", "census process estimate context"),
    "numerator": (pl.Float64, "null: not assessable"), "denominator": (pl.Float64, "known objects only"),
    "n_unknown": (pl.Int64, "truth value cannot be known"), "n_excluded": (pl.Int64, "outside the definition"),
    "value": (pl.Float64, "numerator / denominator; null when not scored"),
    "ci_low": (pl.Float64, ""), "ci_high": (pl.Float64, ""), "ci_method": (pl.String, "wilson bootstrap ..."),
    "worst_case": (pl.Float64, "all unknown counted as bad"), "best_case": (pl.Float64, "as good"),
    "status": (pl.String, "", "scored provisional not_scored"),
    "reason": (pl.String, "null when scored", "no_source source_stale denominator_below_min coverage_below_min "
               "lookback_too_short definition_not_met no_baseline"),
    "unit": (pl.String, "share count ratio points hops days minutes per_100 per_1000 per_10000 per_day"),
    "window_start": (TIME, ""), "window_end": (TIME, ""),
    "sources": (TEXTS, ""), "snapshot_at": (TIME, "null for processes"),
}), derived=True)

EVIDENCE = Table("evidence", "the objects behind a measure", columns_of({
    "metric_id": (pl.String, ""), "scope": (pl.String, ""), "object_id": (pl.String, ""),
    "object_kind": (pl.String, ""), "set": (pl.String, "", "numerator denominator unknown excluded"),
    "reason": (pl.String, "why it is in the set"), "source_rows": (TEXTS, "record ids"),
}), derived=True)

ALL: Mapping[str, Table] = {t.name: t for t in (
    IDENTITY_FACTS, IDENTITIES, ALIASES, ACCOUNTS, CREDENTIALS, ENTITLEMENTS, ACTIVITY, ASSISTANT_ACCESS,
    DECISION_STEPS, DELEGATIONS, RESOURCES, COVERAGE, SEQUENCES, QUARANTINE, DRIFT, CONTENT_HASHES, LEDGER, USAGE,
    PERMISSION_USE, NODES, EDGES, PERMISSIONS, CASES, STEPS, LINKS, LINK_REJECTS, DECISION_FINDINGS, GAPS, ELEMENTS,
    WORKFLOWS, FACETS, MEASURES, EVIDENCE,
)}
FACTS = tuple(t for t in ALL.values() if not t.derived)


def conform(frame: pl.DataFrame, table: Table) -> pl.DataFrame:
    """The frame with exactly the table's columns, in order and of its dtypes; absent columns become null.

    Raises
    ------
    LineageError : a column the table does not have, or a value that does not fit its dtype.
    """
    held = frame.schema
    unknown = set(held) - set(table.schema)
    if unknown:
        raise LineageError(f"Wanted columns of table {table.name}", f"found also {sorted(unknown)}",
                           "add them to tables.py or drop them in the loader")
    try:
        return frame.select(
            name if held.get(name) == dtype else
            pl.col(name).cast(dtype) if name in held else pl.lit(None, dtype=dtype).alias(name)
            for name, dtype in table.schema.items()
        )
    except pl.exceptions.PolarsError as error:
        raise LineageError(f"Wanted values of table {table.name}", str(error)) from error


def closed_value_faults(frame: pl.DataFrame, table: Table) -> list[str]:
    """Which closed columns hold values outside their list, as sentences; empty when none does."""
    faults = []
    for column in table.columns:
        if column.values and column.name in frame.columns:
            odd = set(frame[column.name].drop_nulls().unique()) - column.values
            if odd:
                wanted = sorted(column.values)
                faults.append(f"{table.name}.{column.name} holds {sorted(odd)[:5]}, wanted {wanted}")
    return faults


def concat(frames: Iterable[pl.DataFrame], table: Table) -> pl.DataFrame:
    """All frames under one another; the empty table when there is none."""
    kept = [f for f in frames if f.height]
    return pl.concat(kept) if kept else table.empty()
