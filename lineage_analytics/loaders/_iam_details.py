"""The entries of account authorization details: out of one object, several after another, an array, or a cut file."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

from lineage_analytics.loaders.common import records
from lineage_analytics.loaders.common.contract import Chunk, Fault
from lineage_analytics.loaders.common.sampling import decode_object
from lineage_analytics.loaders.common.scan import elements

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lineage_analytics.loaders.common.contract import Document

LISTS = ("UserDetailList", "GroupDetailList", "RoleDetailList", "Policies")
_BY_NAME = {name.lower(): name for name in LISTS}
# What ``list-users``, ``get-role`` and their kin answer: the same entries, without their policies.
_ANSWERS = {name + more: f"{name.capitalize()}DetailList" for name in ("user", "group", "role") for more in ("", "s")}
_OPENINGS = {name: re.compile(rb'"(' + name.encode() + rb')"\s*:\s*\[', re.IGNORECASE) for name in LISTS}
_IAM_ENTRY = re.compile(rb'"Arn"\s{0,4}:\s{0,4}"arn:aws[a-z-]*:iam::\d{12}:(?:user|group|role)/')
_ENTRY_BYTES = 16 << 20
_ENTRIES_PER_CHUNK = 2_048
_BETWEEN = b" \t\r\n,[]"
_BROKEN = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
Raw = bytes | msgspec.Raw

# Keys as AWS writes them, for exports that went through a pipeline which changed their case.
_SPELLED = {name.lower(): name for name in re.findall(r"\w+", (
    "Arn UserName UserId GroupName GroupId RoleName RoleId PolicyName PolicyArn Path CreateDate Tags Key Value "
    "Description GroupList UserPolicyList GroupPolicyList RolePolicyList PolicyDocument AttachedManagedPolicies "
    "PermissionsBoundary PermissionsBoundaryArn AssumeRolePolicyDocument InstanceProfileList InstanceProfileName "
    "RoleLastUsed LastUsedDate PolicyVersionList IsDefaultVersion Document DefaultVersionId VersionId Statement "
    "Effect Action NotAction Resource NotResource Principal NotPrincipal Condition AWS Service Federated Version Sid "
    "PermissionsBoundaryType Region PolicyId AttachmentCount PermissionsBoundaryUsageCount IsAttachable UpdateDate "
    "InstanceProfileId Roles PasswordLastUsed MaxSessionDuration"))}
KNOWN = frozenset(_SPELLED.values())


def lists_of(keys: Iterable[str]) -> set[str]:
    """Which of the four lists stand among the keys, whatever their case."""
    return {_BY_NAME[key.lower()] for key in keys if key.lower() in _BY_NAME}


def is_answer(keys: Iterable[str], head: bytes) -> bool:
    """Whether an object is the answer to a question for users, groups or roles of IAM."""
    return any(key.lower() in _ANSWERS for key in keys) and _IAM_ENTRY.search(head) is not None


def spelled(entry: dict[str, Any]) -> dict[str, Any]:
    """The entry with its keys as AWS writes them. Conditions stay as they are: their keys are data."""
    return entry if "Arn" in entry else {_SPELLED.get(k.lower(), k): _inner(k, v) for k, v in entry.items()}


def _inner(key: str, value: Any) -> Any:
    if isinstance(value, list):
        return [_inner(key, item) for item in value]
    return spelled(value) if isinstance(value, dict) and key.lower() != "condition" else value


def chunks(document: Document) -> Iterator[Chunk]:
    """The entries list by list, in the order of ``LISTS``, tagged with their list; a broken one is a fault in place."""
    return records.tagged_chunks(list(_entries(records.whole(document).strip())), document, _ENTRIES_PER_CHUNK)


def _entries(data: bytes) -> Iterator[records.Tagged]:
    whole = _page(data)
    if whole is not None:
        yield from whole
        return
    read = 0
    for raw, reason in elements(iter((data,)), "array" if data.startswith(b"[") else "object", len(data) + 1):
        if reason is not None:
            continue
        at = data.index(raw, read)
        if data[read:at].strip(_BETWEEN):
            yield Fault(None, "broken_json", "text between the pages that is not JSON")
        page = _page(raw)
        yield from _salvaged(raw, cut=False) if page is None else page
        read = at + len(raw)
    rest = data[read:].strip(_BETWEEN)
    if b"{" in rest:
        yield from _salvaged(rest, cut=True)
    elif rest:
        yield Fault(None, "broken_json", "text after the last page that is not JSON")


def _page(raw: Raw) -> list[records.Tagged] | None:
    """The entries of one whole object; None when it is no clean JSON object."""
    try:
        keys = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
    except _BROKEN:
        return None
    named = {_BY_NAME[key.lower()]: value for key, value in keys.items() if key.lower() in _BY_NAME}
    if not named:
        found = {key.lower(): bytes(value) for key, value in keys.items()}
        named = {_ANSWERS[key]: _listed(value) for key, value in found.items() if key in _ANSWERS}
        if {"group", "users"} <= found.keys():
            named["UserDetailList"] = _members(found["group"], found["users"])
    if not named:
        return [Fault(None, "not_details", f"wanted one of {', '.join(LISTS)}")]
    items: list[records.Tagged] = []
    for name in LISTS:
        try:
            listed = msgspec.json.decode(named.get(name, b"null"), type=list[msgspec.Raw] | None)
        except _BROKEN:
            items.append(Fault(None, "not_a_list", f"wanted a list in {name}"))
            continue
        items += [(name, entry) for entry in listed or ()]
    return items


def _listed(value: bytes) -> msgspec.Raw:
    """A list as it stands, a single entry as a list of one."""
    return msgspec.Raw(value if value.startswith(b"[") else b"[" + value + b"]")


def _members(group: bytes, users: bytes) -> msgspec.Raw:
    """The users of one group, as ``get-group`` answers, each with the group they are in."""
    name = spelled(decode_object(group) or {}).get("GroupName")
    try:
        listed = msgspec.json.decode(users, type=list[dict[str, Any]])
    except _BROKEN:
        return msgspec.Raw(users)
    return msgspec.Raw(msgspec.json.encode([user | ({"GroupList": [name]} if name else {}) for user in listed]))


def _salvaged(text: Raw, *, cut: bool) -> Iterator[records.Tagged]:
    """What whole entries broken or cut text still holds, and at least one fault. A broken list costs no other."""
    data, said = bytes(text), False
    opened = sorted((match.start(), name, match.group(1).decode()) for name, opening in _OPENINGS.items()
                    if (match := opening.search(data)) is not None)
    ends = [start for start, _, _ in opened[1:]] + [len(data)]
    for (start, name, key), end in zip(opened, ends, strict=True):
        last = end == len(data)
        piece = b"{" + data[start:end] + (b"" if last else b"}")
        for raw, reason in elements(iter((piece,)), key, _ENTRY_BYTES):
            if reason is None and decode_object(raw) is not None:
                yield name, raw
                continue
            said = True
            ends_here = cut and last and reason == "truncated"
            yield Fault(None, "truncated" if ends_here else reason if reason == "record_too_large" else "broken_json",
                        f"an entry of {name} that " + ("the document ends in" if ends_here else "cannot be read"))
    if not said:
        yield Fault(None, "truncated" if cut else "broken_json", "the document " + (
            "ends early" if cut else "breaks outside its entries"))
