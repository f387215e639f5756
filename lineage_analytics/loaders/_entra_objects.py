"""Which directory object a record is, and what its page says about it (sources 3.8)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from lineage_analytics.loaders._governance import odata_type
from lineage_analytics.loaders.common.values import guid, name, native

if TYPE_CHECKING:
    from lineage_analytics.loaders.common.values import Fields

HEAD_READ = 4_096
_GUID = r"[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}"
_PAGE_KEY = re.compile(rb'"@?odata\.(?:context|nextLink)"\s{0,4}:\s{0,4}"([^"]{1,1500})"', re.IGNORECASE)
_RELATION = re.compile(
    rf"(groups|directoryRoles|administrativeUnits|applications|servicePrincipals|users)(?:\('|/)({_GUID})(?:'\))?"
    r"(?:/microsoft\.graph\.\w+)?/(members|transitiveMembers|owners|sponsors|memberOf|federatedIdentityCredentials)\b",
    re.IGNORECASE)
_ARGUMENTS = re.compile(r"\([^()]*\)")

KINDS = ("user", "service_principal", "application", "group", "role", "unit", "unit_role", "app_role", "delegated",
         "policy", "device", "federated")
_BY_TYPE = {
    "user": "user", "agentuser": "user", "serviceprincipal": "service_principal", "agentidentity": "service_principal",
    "agentidentityblueprintprincipal": "service_principal", "application": "application",
    "agentidentityblueprint": "application", "group": "group", "directoryrole": "role", "administrativeunit": "unit",
    "scopedrolemembership": "unit_role", "approleassignment": "app_role", "oauth2permissiongrant": "delegated",
    "conditionalaccesspolicy": "policy", "device": "device", "federatedidentitycredential": "federated",
}
_BY_ENTITY = {
    "users": "user", "serviceprincipals": "service_principal", "applications": "application", "groups": "group",
    "directoryroles": "role", "administrativeunits": "unit", "scopedrolemembers": "unit_role",
    "scopedrolememberships": "unit_role", "approleassignments": "app_role", "approleassignedto": "app_role",
    "inheritedapproleassignments": "app_role", "oauth2permissiongrants": "delegated",
    "inheritedoauth2permissiongrants": "delegated", "policies": "policy", "devices": "device",
    "federatedidentitycredentials": "federated",
}
_APPLICATION = frozenset({"passwordcredentials", "keycredentials", "signinaudience", "requiredresourceaccess",
                          "publisherdomain", "identifieruris"})
_PRINCIPAL = frozenset({"serviceprincipalnames", "approleassignmentrequired", "appownerorganizationid"})
_USER = frozenset({"accountenabled", "usertype", "businessphones", "mail", "signinactivity", "identityparentid",
                   "createddatetime", "displayname", "givenname"})
_SELECTED = frozenset({"id", "userprincipalname", "@odata.id", "@odata.etag"})  # with no more, there is nothing else
# Keys of other Entra exports that share some of the above.
_OTHERS = frozenset({"riskstate", "activitydisplayname", "roledefinitionid", "reviewedby", "recommendation",
                     "auditdata", "action", "ipaddress", "timegenerated", "scheduleinfo", "accesspackage",
                     "assignmentstate"})


def _words(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


KNOWN = _words("""
    id objectid objecttype displayname userprincipalname mail mailnickname accountenabled usertype createddatetime
    deleteddatetime signinactivity identityparentid businessphones givenname surname jobtitle mobilephone
    officelocation preferredlanguage department companyname employeeid employeetype employeehiredate employeeorgdata
    city country state streetaddress postalcode faxnumber othermails proxyaddresses imaddresses identities
    usagelocation agegroup consentprovidedforminor legalagegroupclassification externaluserstate
    externaluserstatechangedatetime creationtype onpremisessecurityidentifier onpremisessamaccountname
    onpremisesuserprincipalname onpremisesdomainname onpremisesdistinguishedname onpremisesimmutableid
    onpremisessyncenabled onpremiseslastsyncdatetime onpremisesprovisioningerrors onpremisesextensionattributes
    onpremisesnetbiosname lastpasswordchangedatetime passwordpolicies passwordprofile refreshtokensvalidfromdatetime
    signinsessionsvalidfromdatetime assignedlicenses assignedplans provisionedplans licenseassignmentstates
    showinaddresslist securityidentifier manager members owners sponsors memberof appid appdisplayname
    appdescription appownerorganizationid serviceprincipaltype serviceprincipalnames alternativenames
    passwordcredentials keycredentials passwordsinglesignonsettings approles approleassignmentrequired
    approleassignments approleassignedto inheritedapproleassignments oauth2permissiongrants
    inheritedoauth2permissiongrants oauth2permissionscopes addins applicationtemplateid disabledbymicrosoftstatus
    homepage info loginurl logouturl notes notificationemailaddresses preferredsinglesignonmode
    preferredtokensigningkeythumbprint replyurls resourcespecificapplicationpermissions samlsinglesignonsettings
    signinaudience tags tokenencryptionkeyid verifiedpublisher description agentidentityblueprintid createdbyappid
    identifieruris publisherdomain requiredresourceaccess api web spa publicclient parentalcontrolsettings
    optionalclaims isfallbackpublicclient isdevicecodeflowsupported defaultredirecturi certification
    publishername samlmetadataurl
    groupmembershipclaims serviceprincipallockconfiguration requestsignatureverification
    nativeauthenticationapisenabled uniquename samlmetadataurl federatedidentitycredentials
    isauthorizationserviceenabled oauth2requirepostresponse authenticationbehaviors grouptypes securityenabled
    mailenabled isassignabletorole ismanagementrestricted membershiprule membershipruleprocessingstate
    classification renewaldatetime expirationdatetime resourcebehavioroptions resourceprovisioningoptions
    creationoptions theme visibility writebackconfiguration serviceprovisioningerrors preferreddatalocation
    infocatalogs cloudlicensing roletemplateid ismembermanagementrestricted membershiptype scopedrolemembers roleid
    administrativeunitid rolememberinfo approleid principalid principaltype principaldisplayname resourceid
    resourcedisplayname creationtimestamp clientid consenttype scope starttime expirytime conditions grantcontrols
    sessioncontrols modifieddatetime templateid partialenablementstrategy deviceid operatingsystem
    operatingsystemversion trusttype iscompliant ismanaged isrooted managementtype manufacturer model profiletype
    registrationdatetime approximatelastsignindatetime devicecategory deviceownership devicemetadata deviceversion
    domainname enrollmentprofilename enrollmenttype extensionattributes hostnames managementagents mdmappid
    physicalids systemlabels alternativesecurityids compliancexpirationdatetime complianceexpirationdatetime name
    issuer subject audiences claimsmatchingexpression log _origin
""")
"""Keys of directory objects, most of them of no use here: whatever else turns up is new."""


class Page(NamedTuple):
    """What the page of a list says: the entity set, and whose members, owners ... its objects are."""

    entity: str = ""
    parent_kind: str = ""
    parent: str = ""
    relation: str = ""

    def as_context(self) -> dict[str, Any]:
        return self._asdict()


def page_of(head: bytes) -> Page:
    """The page as its context and next link state it; empty where there is none."""
    links = [found.decode("utf-8", "replace") for found in _PAGE_KEY.findall(head[:HEAD_READ])]
    related = next((found for link in links if (found := _RELATION.search(link))), None)
    fragment = next((link.partition("#")[2] for link in links if "#" in link), "")
    parts = [part for part in _ARGUMENTS.sub("", _ARGUMENTS.sub("", fragment)).lower().split("/")
             if part and part != "$entity"]
    cast = parts.pop().rpartition(".")[2] if parts and "." in parts[-1] else ""
    if parts and parts[-1] == "policies" and "conditionalaccess" not in parts:
        parts.append("other")
    entity = cast or (parts[-1] if parts else "")
    if related is None:
        return Page(entity)
    return Page(entity, related[1].lower(), related[2].lower(), related[3].lower())


def object_kind(row: Fields, entity: str) -> str | None:
    """What sort of directory object this is: by its type, by its page, by the keys it has; None for none of ours."""
    stated = odata_type(row)
    if stated:
        return _BY_TYPE.get(stated)
    listed = _BY_ENTITY.get(entity) or _BY_TYPE.get(entity)
    if listed is not None:
        return listed
    keys = row.keys()
    return None if keys & _OTHERS else _by_keys(row)


def _by_keys(row: Fields) -> str | None:
    keys = row.keys()
    if {"approleid", "principalid", "resourceid"} <= keys:
        return "app_role"
    if {"clientid", "consenttype", "resourceid"} <= keys:
        return "delegated"
    if {"conditions", "state"} <= keys and keys & {"grantcontrols", "sessioncontrols"}:
        return "policy"
    if {"roleid", "administrativeunitid", "rolememberinfo"} <= keys:
        return "unit_role"
    if guid(native_id(row)) is None:
        return None
    if "serviceprincipaltype" in keys or ("appid" in keys and keys & _PRINCIPAL):
        return "service_principal"
    if "appid" in keys:
        return "application" if keys & _APPLICATION else None
    if "userprincipalname" in keys:
        return "user" if keys & _USER or keys <= _SELECTED else None
    if "grouptypes" in keys or {"securityenabled", "mailenabled"} <= keys:
        return "group"
    if "roletemplateid" in keys:
        return "role"
    if {"deviceid", "operatingsystem"} <= keys:
        return "device"
    return "federated" if {"issuer", "subject", "audiences"} <= keys else None


def native_id(row: Fields) -> str | None:
    """The object id, also as older modules and the portal's lists name it."""
    return native(name(row.get("id")) or name(row.get("objectid")) or name(row.get("object id")))
