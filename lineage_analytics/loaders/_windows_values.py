"""Names of values in the events that are read, in lower case, and of what collectors add to every event."""

from __future__ import annotations

_EVENT = """
    dummy subjectusersid subjectusername subjectdomainname subjectlogonid targetusersid targetusername
    targetdomainname targetsid targetlogonid targetlogonguid logontype logonprocessname authenticationpackagename
    workstationname logonguid transmittedservices lmpackagename keylength processid processname ipaddress ipport
    impersonationlevel restrictedadminmode remotecredentialguard targetoutboundusername targetoutbounddomainname
    virtualaccount targetlinkedlogonid elevatedtoken failurereason status substatus failurecode targetservername
    targetinfo servicename servicesid ticketoptions ticketencryptiontype sessionkeyencryptiontype preauthtype
    preauthencryptiontype certissuername certserialnumber certthumbprint responseticket
    accountsupportedencryptiontypes accountavailablekeys servicesupportedencryptiontypes serviceavailablekeys
    dcsupportedencryptiontypes dcavailablekeys clientadvertizedencryptiontypes requestticketha requestticket
    requesttickethash responsetickethash packagename workstation samaccountname displayname userprincipalname
    homedirectory homepath scriptpath profilepath userworkstations passwordlastset accountexpires primarygroupid
    allowedtodelegateto olduacvalue newuacvalue useraccountcontrol userparameters sidhistory logonhours dnshostname
    serviceprincipalnames privilegelist computeraccountchange membername membersid membershipexpirationtime
    grouptypechange oldtargetusername newtargetusername sourceusername sourcesid callerprocessid callerprocessname
    accessgranted accessremoved categoryid subcategoryid subcategoryguid auditpolicychanges kerberospolicychange
    domainname domainsid domainpolicychanged minpasswordage maxpasswordage forcelogoff lockoutthreshold
    lockoutobservationwindow lockoutduration passwordproperties minpasswordlength passwordhistorylength
    machineaccountquota mixeddomainmode domainbehaviorversion oeminformation tdotype tdodirection tdoattributes
    sidfilteringenabled objectserver objecttype objectname operationtype handleid accesslist accessmask properties
    additionalinfo additionalinfo2 opcorrelationid appcorrelationid dsname dstype objectdn objectguid objectclass
    attributeldapdisplayname attributesyntaxoid attributevalue attributesyntax expirationtime treedelete oldobjectdn
    newobjectdn servicefilename servicetype servicestarttype serviceaccount clientprocessstartkey clientprocessid
    parentprocessid rpccallclientlocality fqdn taskname taskcontent taskcontentnew workstationip subjectsid
    clientaddress sourceaddress sam_account_name statusdescription ticketencryptiontypedescription
    taskvalue executionthreadid ticketoptionsdescription newuaclist accesslistdescription accessmaskdescription
    auditpolicychangesdescription
    """
_COLLECTORS = """
    eventid channel sourcename eventsourcename provider providername providerguid source eventlog hostname computer
    computername machinename recordnumber eventrecordid recordid eventtime eventreceivedtime timecreated
    timegenerated eventoriginid activityid relatedactivityid eventtype keywords severity severityvalue category
    opcode opcodevalue task level eventlevelname version threadid executionprocessid message sourcemoduletype
    sourcemodulename host port tags userid accountname accounttype domain error_evt_unresolved erroreventunresolved
    tenantid sourcesystem mg managementgroupname type _resourceid processid_string logonguid_string account activity
    logontypename process subjectaccount targetaccount memberaccount sourcecomputerid timecollected timestamp
    hostcustomentity accountcustomentity partitionkey rowkey storageaccount azuredeploymentid role systemuserid
    systemthreadid systemprocessid eventdata rawdata correlation execution data binary event_dynamic
    eventdata_dynamic azure_resourceid systemtimecreated targetuser accessreason instanceid rendereddescription
    _itemid _billedsize
    """
KNOWN = frozenset(_EVENT.split()) | frozenset(_COLLECTORS.split()) | {"timegenerated [utc]"}
