"""Rows out of sign-in records: activity and the principals seen (sources 3.7)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lineage_analytics import tables
from lineage_analytics.loaders._entra_agents import by_agent_type
from lineage_analytics.loaders._entra_opened import PROVIDER, Opened, wanted
from lineage_analytics.loaders._entra_people import ENVELOPE, Principal, application, service_principal, state, user
from lineage_analytics.loaders._entra_portal import is_portal, sign_in
from lineage_analytics.loaders.common.assembly import assemble
from lineage_analytics.loaders.common.delegated import lend
from lineage_analytics.loaders.common.ids import identity_id
from lineage_analytics.loaders.common.values import embedded, flag, name, native, obj, objects, text

if TYPE_CHECKING:
    from datetime import datetime

    from lineage_analytics.loaders.common.assembly import Entry
    from lineage_analytics.loaders.common.contract import Batch, Chunk, Document

SOURCE = "entra_signins"

_TYPES = {"interactiveuser": "interactiveUser", "noninteractiveuser": "nonInteractiveUser",
          "serviceprincipal": "servicePrincipal", "managedidentity": "managedIdentity"}
_BY_CATEGORY = {"noninteractiveuser": "nonInteractiveUser", "serviceprincipal": "servicePrincipal",
                "managedidentity": "managedIdentity", "microsoftserviceprincipal": "servicePrincipal"}
# A policy or an assignment stood against it; everything else that is not 0 and no question to the user is a failure.
DENIED = frozenset({
    "50105", "53000", "53001", "53002", "53003", "53004", "53009", "53010", "53011", "530002", "530003", "530032",
    "530035",
})
# The user is asked for something and the sign-in goes on under another record; nothing has failed yet.
INTERRUPTED = frozenset({
    "16000", "16001", "50058", "50072", "50074", "50076", "50079", "50097", "50125", "50127", "50129", "50140", "50143",
    "50144", "50158", "50203", "50207", "51006", "65001", "81010", "81012", "81014",
})
_AT_RISK = frozenset({"atrisk", "confirmedcompromised"})
_SILENT_POLICIES = frozenset({"", "notapplied", "notenabled", "unknown", "reportonlynotapplied", "unknownfuturevalue"})

_STRING, _OBJECT, _LIST = "string", "object string", "array string"
KNOWN: dict[str, str] = {key.lower(): kind for key, kind in {
    "id": _STRING, "createdDateTime": _STRING, "userDisplayName": _STRING, "userPrincipalName": _STRING,
    "userId": _STRING, "userType": _STRING, "appId": _STRING, "appDisplayName": _STRING, "ipAddress": _STRING,
    "clientAppUsed": _STRING, "userAgent": _STRING, "correlationId": _STRING,
    "conditionalAccessStatus": "string number", "isInteractive": "boolean string", "status": _OBJECT,
    "deviceDetail": _OBJECT, "location": _OBJECT,
    "appliedConditionalAccessPolicies": _LIST, "originalRequestId": _STRING, "tokenIssuerName": _STRING,
    "tokenIssuerType": _STRING, "authenticationProcessingDetails": _LIST, "networkLocationDetails": _LIST,
    "processingTimeInMilliseconds": "number string", "riskDetail": _STRING, "riskLevelAggregated": _STRING,
    "riskLevelDuringSignIn": _STRING, "riskState": _STRING, "riskEventTypes": _LIST, "riskEventTypes_v2": _LIST,
    "resourceDisplayName": _STRING, "resourceId": _STRING, "resourceTenantId": _STRING, "homeTenantId": _STRING,
    "homeTenantName": _STRING, "tenantId": _STRING, "authenticationDetails": _LIST,
    "authenticationRequirementPolicies": _LIST, "sessionLifetimePolicies": _LIST, "authenticationRequirement": _STRING,
    "authenticationProtocol": _STRING, "authenticationMethodsUsed": _LIST, "authenticationStrengths": _LIST,
    "authenticationContextClassReferences": _LIST, "authenticationAppDeviceDetails": _OBJECT,
    "authenticationAppPolicyEvaluationDetails": _LIST, "servicePrincipalId": _STRING, "servicePrincipalName": _STRING,
    "servicePrincipalCredentialKeyId": _STRING, "servicePrincipalCredentialThumbprint": _STRING,
    "federatedCredentialId": _STRING, "clientCredentialType": _STRING, "managedServiceIdentity": _OBJECT,
    "managedIdentityType": _STRING, "associatedResourceId": _STRING, "signInEventTypes": _LIST,
    "signInIdentifier": _STRING, "signInIdentifierType": _STRING, "flaggedForReview": "boolean string",
    "isTenantRestricted": "boolean string", "autonomousSystemNumber": "number string", "crossTenantAccessType": _STRING,
    "privateLinkDetails": _OBJECT, "ssoExtensionVersion": _STRING, "uniqueTokenIdentifier": _STRING,
    "incomingTokenType": _STRING, "mfaDetail": _OBJECT, "agent": _OBJECT, "sessionId": _STRING,
    "appServicePrincipalId": _STRING, "resourceServicePrincipalId": _STRING, "rngcStatus": "number",
    "signInTokenProtectionStatus": _STRING, "tokenProtectionStatusDetails": _OBJECT, "originalTransferMethod": _STRING,
    "isThroughGlobalSecureAccess": "boolean string", "globalSecureAccessIpAddress": _STRING,
    "conditionalAccessAudiences": _LIST, "appOwnerTenantId": _STRING, "resourceOwnerTenantId": _STRING,
    "ipAddressFromResourceProvider": _STRING, "azureResourceId": _STRING, "isTestRecord": "boolean",
    "resultReason": _STRING, "result": _STRING, "redirectUrl": _STRING, "sourceAppClientId": _STRING,
    "@odata.type": _STRING,
    # Columns of Log Analytics that state the same or nothing for us.
    "resource": "", "resourceGroup": "", "resourceProvider": "", "locationDetails": "", "riskLevel": "", "isRisky": "",
    "conditionalAccessPolicies": _LIST, "alternateSignInName": "", "resourceIdentity": "", "appliedEventListeners": "",
    "nativeAuthDetails": "", "resultDescription": "",
}.items()} | ENVELOPE


def read_chunk(chunk: Chunk, document: Document) -> Batch:
    """Activity and identity facts of one chunk of sign-ins; records of other logs are out of scope."""
    return assemble(chunk, document, SOURCE, _read)


def _read(entry: Entry) -> None:
    found = wanted(entry.fields, "signin")
    if is_portal(found.row):
        found = Opened(found.row, sign_in(found.row))
    event = found.name("id")
    entry.identify(PROVIDER, found.tenant, _native_id(found, event), within="")
    time = entry.moment(found.get("createddatetime", "time", "timegenerated"), "createdDateTime")
    code, outcome = outcome_of(found)
    signed_in, actor = _actor(found, outcome)
    via = _via(found, signed_in, actor)
    for principal in (p for p in (actor, via) if p is not None):
        state(entry, principal)
    entry.add(
        tables.ACTIVITY, time=time, actor_id=actor.id(entry.tenant) if actor else None,
        actor_session_id=_session(found, signed_in),
        via_assistant_id=via.id(entry.tenant) if via else None,
        delegation_kind="platform_field" if via else None, delegation_trust="provider_asserted" if via else None,
        action=f"signin:{signed_in}" if signed_in else "signin",
        resource_id=application(entry.tenant, _resource(found)),
        extra_resource_ids=_others(found, entry.tenant) or None, outcome=outcome,
        error_code=None if code in (None, "0") else code,
        ip=found.name("ipaddress", "calleripaddress"), client=text(found.get("useragent")),
        credential_id=_credential(found), correlation_id=found.name("correlationid"), event_id=event or None,
        unmapped=entry.leftovers(KNOWN, found.payload))
    if actor is not None and via is not None and outcome == "success":
        lend(entry, [(actor.id(entry.tenant), via.id(entry.tenant))], kind="token", time=time, created_at=time,
             uid=name(found.get("uniquetokenidentifier")), event_id=event or None, issuer="login.microsoftonline.com")
    if (text(found.get("riskstate")) or "").lower() in _AT_RISK:
        _signal(entry, found, actor, time, event)


def _native_id(found: Opened, event: str | None) -> str | None:
    """The id with what every export states beside it: where ids are masked, one stands for many sign-ins."""
    return event and "|".join((event, found.name("correlationid") or "", native(name(_resource(found))) or ""))


def _signal(
    entry: Entry, found: Opened, actor: Principal | None, time: datetime | None, event: str | None
) -> None:
    """Identity Protection held the sign-in for risky when it happened."""
    level = text(found.get("risklevelduringsignin", "risklevelaggregated")) or "level not stated"
    sort = "user" if actor is not None and actor.kind == "human" else "service_principal"
    entry.step(
        "signal", kind="signal", time=time, operation="signin:risk", actor_class="automation",
        actor_class_basis="riskState of a sign-in is set by Identity Protection",
        target_key=f"{PROVIDER}:{entry.tenant or ''}:{sort}/{actor.native}" if actor else None,
        native_key_kind="signin_id" if event else None, native_key=event or None,
        correlation_id=found.name("correlationid"), title=f"Sign-in at risk ({level})", event_id=event or None)


def _resource(found: Opened) -> object:
    """The resource's application id; in tables and envelopes ``resourceId`` is the path of the directory."""
    return found.row.get("resourceidentity") if "timegenerated" in found.row else found.payload.get("resourceid")


def type_of(found: Opened) -> str | None:
    """interactiveUser, nonInteractiveUser, servicePrincipal or managedIdentity; None when nothing says which."""
    listed = embedded(found.get("signineventtypes"))
    for value in listed if isinstance(listed, list) else [listed]:
        if isinstance(value, str) and value.lower() in _TYPES:
            return _TYPES[value.lower()]
    category = found.category.removeprefix("aad").removesuffix("signinlogs")
    if category in _BY_CATEGORY:
        return _BY_CATEGORY[category]
    if _managed(found) is not None:
        return "managedIdentity"
    if found.name("userid") is None and found.name("serviceprincipalid") is not None:
        return "servicePrincipal"
    interactive = flag(found.get("isinteractive"))
    return None if interactive is None else "interactiveUser" if interactive else "nonInteractiveUser"


def outcome_of(found: Opened) -> tuple[str | None, str]:
    """The error code as stated, and the outcome it means."""
    status = obj(found.get("status"))
    code = text(status.get("errorcode"))
    if code is None:
        code = text(found.get("resulttype"))
    if code is None or not code.isdigit():
        said = (code or text(found.get("status")) or text(found.get("result")) or "").lower()
        return None, {"success": "success", "failure": "failure"}.get(said, "unknown")
    if code == "0":
        return code, "success"
    return code, "denied" if code in DENIED else "unknown" if code in INTERRUPTED else "failure"


def _actor(found: Opened, outcome: str) -> tuple[str | None, Principal | None]:
    """The type of sign-in and who signed in; a name typed into a failed sign-in is nobody."""
    signed_in = type_of(found)
    if signed_in in ("servicePrincipal", "managedIdentity"):
        return signed_in, _workload(found, signed_in)
    agent = obj(found.get("agent"))
    object_id = found.name("userid")
    person = user(object_id, found.get("userprincipalname") if object_id or outcome == "success" else None,
                  found.get("userdisplayname"), guest=(text(found.get("usertype")) or "").lower() == "guest")
    if person is None:
        return signed_in, None
    for key in ("agentsubjecttype", "agenttype"):
        own = by_agent_type(agent.get(key))
        if own is not None and own.subkind == "agent_user":
            parent = native(name(agent.get("agentsubjectparentid")) or name(agent.get("parentappid")))
            return signed_in, person._replace(kind=own.kind, subkind=own.subkind, basis=own.basis, parent=parent)
    return signed_in, person


def _workload(found: Opened, signed_in: str) -> Principal | None:
    principal = service_principal(found.name("serviceprincipalid"), found.name("appid"),
                                  found.get("serviceprincipalname", "appdisplayname"))
    if principal is None:
        return None
    agent = obj(found.get("agent"))
    own = by_agent_type(agent.get("agenttype"))
    if own is not None:
        return principal._replace(kind=own.kind, subkind=own.subkind, basis=own.basis,
                                  parent=native(name(agent.get("parentappid"))))
    if signed_in == "managedIdentity":
        return principal._replace(kind="workload", subkind=_managed(found) or "managed_identity",
                                  basis="a managed identity signed in")
    if found.category.endswith("microsoftserviceprincipalsigninlogs"):
        return principal._replace(subkind="first_party", excluded="provider_managed",
                                  basis="category MicrosoftServicePrincipalSignInLogs")
    return principal


def _managed(found: Opened) -> str | None:
    held = obj(found.get("managedserviceidentity"))
    sort = (name(held.get("msitype")) or name(found.get("managedidentitytype")) or "").lower().replace(" ", "")
    return {"systemassigned": "managed_identity_system", "userassigned": "managed_identity_user"}.get(sort)


def _via(found: Opened, signed_in: str | None, actor: Principal | None) -> Principal | None:
    """The agent through which a user's sign-in came."""
    if actor is None or signed_in in ("servicePrincipal", "managedIdentity"):
        return None
    agent = obj(found.get("agent"))
    own = by_agent_type(agent.get("agenttype"))
    if own is None or own.subkind == "agent_user":
        return None
    held = service_principal(found.name("serviceprincipalid", "appserviceprincipalid"), found.name("appid"),
                             found.get("appdisplayname"))
    return held and held._replace(kind=own.kind, subkind=own.subkind, basis=own.basis,
                                  parent=native(name(agent.get("parentappid"))))


def _credential(found: Opened) -> str | None:
    """The key of a service principal, which its listing knows; else the token, which later requests name."""
    key = next((held for name_ in ("serviceprincipalcredentialkeyid", "federatedcredentialid",
                                   "serviceprincipalcredentialthumbprint")
                if (held := name(found.get(name_))) is not None), None)
    return native(key) or name(found.get("uniquetokenidentifier"))


def _session(found: Opened, signed_in: str | None) -> str | None:
    """The session; a service principal has none but its token."""
    if signed_in in ("servicePrincipal", "managedIdentity"):
        return name(found.get("uniquetokenidentifier"))
    return found.name("sessionid")


def _others(found: Opened, tenant: str | None) -> list[str]:
    """The client application, the resource's principal, the policies that spoke, the host of a managed identity."""
    policies = objects(found.get("appliedconditionalaccesspolicies", "conditionalaccesspolicies"))
    spoke = [native(name(p.get("id"))) for p in policies
             if (text(p.get("result")) or "").lower() not in _SILENT_POLICIES]
    principal = found.name("resourceserviceprincipalid")
    host = name(obj(found.get("managedserviceidentity")).get("associatedresourceid")) or name(
        found.get("associatedresourceid"))
    return sorted({value for value in (
        application(tenant, found.get("appid")),
        identity_id(PROVIDER, tenant, principal) if principal else None,
        f"azure::{host.lower()}" if host else None,
        *(identity_id(PROVIDER, tenant, f"policy/{policy}") for policy in spoke if policy),
    ) if value})
