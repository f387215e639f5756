"""Entra sign-in logs: users interactive and not, service principals and managed identities (sources 3.1, 3.7).

Shapes  Graph ``signIns`` of v1.0 and beta in pages, arrays, lines or alone, the portal's JSON among them; diagnostic
        settings of the categories SignInLogs, NonInteractiveUserSignInLogs, ServicePrincipalSignInLogs,
        ManagedIdentitySignInLogs, MicrosoftServicePrincipalSignInLogs and ADFSSignInLogs, also with other categories
        beside; the tables SigninLogs and AAD...SignInLogs of Log Analytics, and EntraIdSignInEvents and
        EntraIdSpnSignInEvents of Defender (AADSignInEventsBeta and AADSpnSignInEventsBeta before), as JSON or CSV with
        dynamic columns as text; the portal's CSV; test-suite envelopes.
Maps    every sign-in to ``activity`` as ``signin:<type>``; who signed in, and an agent through which a user did, to
        ``identity_facts``; a sign-in that Identity Protection held for risky to ``decision_steps`` (signal);
        the token of an agent for a user to ``delegations``.
        Audits, Graph activity and risk in the same file are read as their own loaders read them and booked under those.
Drops   device, place, factors of authentication, policies that did not apply, texts of errors; names typed into
        sign-ins that failed without a user behind them; other categories, rejected as ``out_of_scope`` by name.
Schema  Graph v1.0 and beta ``signIn`` with ``agentSignIn``; unknown keys are ``unmapped``.

Joins: ``credential_id`` holds the key with which a service principal signed in, as its listing names it, and for users
the token (``uniqueTokenIdentifier``) that later records name; a service principal's token is its ``actor_session_id``.
``resource_id`` is the resource by its application id, which all versions state; ``extra_resource_ids`` hold its service
principal, the client application, the policies that spoke and the Azure resource that hosts a managed identity.

A code by which the user is asked for more (``_entra_signin_rows.INTERRUPTED``) has the outcome ``unknown``: nothing has
failed and nobody is in. The portal's CSV does not say whether a user was there: its action is plain ``signin``.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from lineage_analytics.loaders import _entra_mixed, _entra_shapes
from lineage_analytics.loaders._entra_opened import PROVIDER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lineage_analytics.loaders.common.contract import Batch, Chunk, Document, Match, Sample

__all__ = ["LATENESS", "PROVIDER", "detect", "extract", "transform"]

LATENESS = timedelta(hours=2)
FEEDS = frozenset({"activity", "decision_steps", "delegations", "identity_facts"})


def detect(sample: Sample) -> Match | None:
    """Sign-ins by category or table, by ``createdDateTime`` and ``appId`` with what only sign-ins have, or, of a page
    with few selected properties, by the error code in ``status``."""
    return _entra_shapes.detect(sample, "signin")


def extract(document: Document) -> Iterator[Chunk]:
    """Rows and records as they stand in the file; CSV rows as objects."""
    yield from _entra_shapes.extract(document)


def transform(chunk: Chunk, document: Document) -> Batch:
    """Activity, identity facts and risk signals of one chunk; of other logs what those hold."""
    return _entra_mixed.transform(chunk, document, "signin")
