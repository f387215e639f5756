"""The types of objects in a SharpHound collection, and how an object shows its own when the file does not say."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lineage_analytics.loaders.common.values import Fields

TYPES = {
    "users": "user", "groups": "group", "computers": "computer", "domains": "domain", "ous": "ou", "gpos": "gpo",
    "containers": "container", "aiacas": "aia_ca", "rootcas": "root_ca", "enterprisecas": "enterprise_ca",
    "ntauthstores": "nt_auth_store", "certtemplates": "cert_template", "issuancepolicies": "issuance_policy",
}
"""Type as a file's meta states it, and the kind of resource it becomes."""

# In this order: the first whose keys are there. Keys of the object, then of its properties.
_BY_OBJECT = (
    ("computers", ("sessions", "localgroups", "allowedtoact", "isdc")), ("groups", ("members",)),
    ("users", ("spntargets", "hassidhistory")), ("domains", ("trusts",)), ("ous", ("links",)),
    ("enterprisecas", ("hostingcomputer", "enabledcerttemplates", "caregistrydata")),
    ("issuancepolicies", ("grouplink",)),
)
_BY_PROPERTY = (
    ("gpos", ("gpcpath",)), ("certtemplates", ("enrollmentflag", "certificatenameflag")),
    ("ntauthstores", ("certthumbprints",)), ("aiacas", ("crosscertificatepair", "hascrosscertificatepair")),
    ("rootcas", ("certchain",)), ("issuancepolicies", ("certtemplateoid",)),
)


def type_of(stated: str | None, record: Fields, properties: Fields) -> str:
    """The type the file states, else what the object's keys say; empty when nothing does."""
    if stated:
        return stated
    for held, rules in ((record, _BY_OBJECT), (properties, _BY_PROPERTY)):
        for kind, keys in rules:
            if any(key in held for key in keys):
                return kind
    return "containers" if "childobjects" in record else ""
