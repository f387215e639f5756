"""Answers of IAM that say something of somebody they do not name: set aside, with what would do instead.

The name of a file is no evidence of whose answer it holds, and the name of a user is none without the account.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lineage_analytics.loaders._iam_policy import listed
from lineage_analytics.loaders.common import records
from lineage_analytics.loaders.common.contract import Chunk, Fault

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lineage_analytics.loaders.common.contract import Document

_DETAILS, _REPORT = "get-account-authorization-details", "the credential report"
_NO_ACCOUNT = "whose account the answer does not name"
_SAID = {
    "accesskeymetadata": f"access keys of a user {_NO_ACCOUNT}; {_REPORT} has their age and use",
    "accesskeylastused": f"the last use of a key that the answer does not name; {_REPORT} has it",
    "attachedpolicies": f"policies attached to a principal that the answer does not name; {_DETAILS} says to whom",
    "policynames": f"names of policies of a principal that the answer does not name; {_DETAILS} has them whole",
    "policyversion": "a version of a policy that the answer does not name; save it as "
                     f'{{"arn": ..., "document": ...}}, or export {_DETAILS}',
    "policydocument": f"a policy of a principal {_NO_ACCOUNT}; {_DETAILS} says whose",
    "policyusers": f"principals that hold a policy the answer does not name; {_DETAILS} says which",
    "loginprofile": f"a password of a user {_NO_ACCOUNT}; {_REPORT} has its age",
    "mfadevices": f"devices of a user for a second factor, which no table holds; {_REPORT} says who has one",
    "virtualmfadevices": f"devices for a second factor, which no table holds; {_REPORT} says who has one",
    "sshpublickeys": f"keys of a user {_NO_ACCOUNT}",
    "servicespecificcredentials": f"credentials of a user {_NO_ACCOUNT}",
}
_BESIDE = frozenset({"istruncated", "marker", "username", "rolename", "groupname", "policyname", "policygroups",
                     "policyroles", "nexttoken"})


def about(keys: Iterable[str]) -> str | None:
    """The key of such an answer; None where the object holds anything else."""
    found = {key.lower() for key in keys}
    odd = found - _BESIDE
    return next(iter(odd)) if len(odd) == 1 and odd <= _SAID.keys() else None


def chunk(document: Document) -> Chunk:
    """What the answer lists, each set aside with the reason; a broken document is one fault."""
    found = records.lone(document, "one answer of IAM")
    if isinstance(found, Chunk):
        return found
    said: dict[str, Any] = {key.lower(): held for key, held in found.items()}
    key = about(said)
    what = "something else than one answer of IAM" if key is None else _SAID[key]
    return Chunk(0, [], faults=[Fault(number, "out_of_scope", what, "rejected")
                                for number, _ in enumerate(listed(said.get(key or "")) or [None])])
