"""What OCSF classes and activities mean: reads, changes with their verb and object, findings (sources 12)."""

from __future__ import annotations

CLASSES: dict[int, str] = {
    2001: "Security Finding", 2002: "Vulnerability Finding", 2003: "Compliance Finding", 2004: "Detection Finding",
    2005: "Incident Finding", 2006: "Data Security Finding", 2007: "Application Security Posture Finding",
    2008: "IAM Analysis Finding",
    3001: "Account Change", 3002: "Authentication", 3003: "Authorize Session", 3004: "Entity Management",
    3005: "User Access Management", 3006: "Group Management", 3007: "User Management", 3008: "Role Management",
    5003: "User Inventory Info",
    6001: "Web Resources Activity", 6002: "Application Lifecycle", 6003: "API Activity", 6004: "Web Resource Access",
    6005: "Datastore Activity", 6006: "File Hosting Activity", 6007: "Scan Activity", 6008: "Application Error",
    7001: "Remediation Activity",
}
CHANGES = frozenset({3001, 3004, 3005, 3006, 3007, 3008})
FINDINGS = frozenset(range(2001, 2009))
INVENTORY = 5003
REMEDIATION = 7001
# Categories whose records speak of machines and networks, not of who may do what.
FOREIGN_CATEGORIES = frozenset({1, 4, 5})

_READS: dict[int, frozenset[int]] = {
    3004: frozenset({2}), 6001: frozenset({2, 5, 6}), 6003: frozenset({2}), 6005: frozenset({1, 4}),
    6006: frozenset({2, 9, 14}),
}
_WRITES: dict[int, frozenset[int]] = {
    3004: frozenset({1, 3, 4, 5, 6, 8, 9, 10, 11, 12, 13}), 6001: frozenset({1, 3, 4}), 6003: frozenset({1, 3, 4}),
    6002: frozenset(range(1, 9)), 6005: frozenset({2, 3, 5, 6}), 6006: frozenset({1, 3, 4, 5, 6, 7, 8, 12, 13}),
    **{number: frozenset(range(1, 90)) for number in CHANGES - {3004}},
}

# Class and activity: verb, and what of the target it is about (empty: the object itself).
_EFFECTS: dict[tuple[int, int], tuple[str, str]] = {
    (3001, 1): ("create", ""), (3001, 2): ("enable", ""), (3001, 3): ("set", "password"),
    (3001, 4): ("set", "password"), (3001, 5): ("disable", ""), (3001, 6): ("delete", ""),
    (3001, 7): ("grant", "policy"), (3001, 8): ("revoke", "policy"), (3001, 9): ("disable", ""),
    (3001, 10): ("enable", "mfa"), (3001, 11): ("disable", "mfa"), (3001, 12): ("enable", ""),
    (3004, 1): ("create", ""), (3004, 3): ("set", ""), (3004, 4): ("delete", ""), (3004, 5): ("set", ""),
    (3004, 6): ("create", "enrolment"), (3004, 8): ("enable", ""), (3004, 9): ("disable", ""),
    (3004, 10): ("enable", ""), (3004, 11): ("disable", ""), (3004, 12): ("disable", ""), (3004, 13): ("enable", ""),
    (3005, 1): ("grant", "privilege"), (3005, 2): ("revoke", "privilege"), (3005, 3): ("grant", "role"),
    (3005, 4): ("revoke", "role"), (3006, 1): ("grant", "privilege"), (3006, 2): ("revoke", "privilege"),
    (3006, 3): ("grant", "user"), (3006, 4): ("revoke", "user"), (3006, 5): ("delete", ""), (3006, 6): ("create", ""),
    (3006, 7): ("grant", "subgroup"), (3006, 8): ("revoke", "subgroup"), (3006, 10): ("grant", "policy"),
    (3006, 11): ("revoke", "policy"), (3006, 12): ("grant", "role"), (3006, 13): ("revoke", "role"),
    (3007, 14): ("grant", "privilege"), (3007, 15): ("revoke", "privilege"), (3007, 16): ("grant", "role"),
    (3007, 17): ("revoke", "role"), (3007, 18): ("create", "credential"), (3007, 19): ("delete", "credential"),
    (3008, 4): ("grant", "privilege"), (3008, 5): ("revoke", "privilege"), (3008, 8): ("grant", "policy"),
    (3008, 9): ("revoke", "policy"), (3008, 10): ("create", "credential"), (3008, 11): ("delete", "credential"),
}
# Younger classes renumber; the caption of the activity says the same in words.
_WORDS = {
    "create": "create", "delete": "delete", "update": "set", "modify": "set", "move": "set", "rename": "set",
    "enable": "enable", "disable": "disable", "activate": "enable", "deactivate": "disable", "suspend": "disable",
    "resume": "enable", "lock": "disable", "unlock": "enable", "assign": "grant", "add": "grant", "attach": "grant",
    "revoke": "revoke", "remove": "revoke", "detach": "revoke", "reset": "set", "change": "set", "issue": "create",
    "rotate": "rotate", "password": "set",
}
_OBJECTS = ("privilege", "role", "policy", "user", "subgroup", "group", "password", "mfa", "credential")


def effect_of(class_uid: int, activity_id: int | None, caption: str | None) -> tuple[str, str] | None:
    """Verb and object part of a change; None for reads, unknown activities and classes that change nothing."""
    if class_uid not in CHANGES:
        return None
    known = _EFFECTS.get((class_uid, activity_id)) if activity_id is not None else None
    if known is not None or not caption:
        return known
    words = caption.lower().replace("/", " ").split()
    verb = next((_WORDS[word] for word in words if word in _WORDS), None)
    if verb is None:
        return None
    about = next((part for word in words[1:] for part in _OBJECTS if word.startswith(part.rstrip("y"))), "")
    return verb, about


def is_read(class_uid: int, activity_id: int | None) -> bool | None:
    """Whether the activity only reads; None where the class does not tell."""
    if activity_id in _READS.get(class_uid, ()):
        return True
    return False if activity_id in _WRITES.get(class_uid, ()) else None
