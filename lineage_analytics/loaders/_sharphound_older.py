"""Collections of SharpHound 3 in the words of later ones: lists without results, members by MemberId, rights in two."""

from __future__ import annotations

from lineage_analytics.loaders.common.values import Fields, embedded, objects, text

# Lists that later collectors wrap with whether they were collected, and what their members were called.
_WRAPPED = ("localadmins", "remotedesktopusers", "dcomusers", "psremoteusers", "sessions")
_REFERENCES = ("members", "allowedtoact", "dumpsmsapassword", *_WRAPPED)
_NAMES = {"memberid": "objectidentifier", "membertype": "objecttype", "userid": "usersid", "computerid": "computersid"}
_CHILDREN = ("users", "computers", "childous")
_OF_POLICIES = ("localadmins", "remotedesktopusers", "dcomusers", "psremoteusers")
_EXTENDED = {"all": "AllExtendedRights", "user-force-change-password": "ForceChangePassword"}
_WRITTEN = {"allowedtoact": "AddAllowedToAct"}
_CONTAINERS = frozenset({"domains", "ous"})


def spoken_anew(record: Fields, kind: str | None) -> Fields:
    """The folded object as version 4 would have written it; one of a later version stays as it is.

    Of units and domains, the accounts on ``Computers`` below them are whom policies linked there reach.
    """
    found = {_NAMES.get(key, key): held for key, held in record.items()}
    for key in _REFERENCES:
        if isinstance(found.get(key), list):
            found[key] = [_named(item) for item in found[key]]
    if _in_two_words(found.get("aces")):
        found["aces"] = [ace | {"rightname": _right(ace)} for ace in objects(found["aces"])]
    if kind in _CONTAINERS and any(key in found for key in _CHILDREN):
        listed = {key: held for key in _CHILDREN if isinstance(held := embedded(found.pop(key, None)), list)}
        found.setdefault("childobjects", [one for key in _CHILDREN for one in listed.get(key, [])])
        changes = {key: found.pop(key) for key in _OF_POLICIES if isinstance(found.get(key), list)}
        found.setdefault("gpochanges", {**changes, "affectedcomputers": listed.get("computers", [])})
    for key in _WRAPPED:
        if isinstance(found.get(key), list):
            found[key] = {"results": found[key]}
    return found


def _in_two_words(aces: object) -> bool:
    first = aces[0] if isinstance(aces, list) and aces else None
    return isinstance(first, dict) and any(key.lower() == "acetype" for key in first)


def _named(item: object) -> object:
    return {_NAMES.get(key, key): held for key, held in objects(item)[0].items()} if isinstance(item, dict) else item


def _right(ace: Fields) -> str | None:
    """The right as one word; of extended rights and written properties the type tells which."""
    right, sort = text(ace.get("rightname")), text(ace.get("acetype"))
    if right == "Owner":
        return "Owns"
    if sort is None or right not in ("ExtendedRight", "WriteProperty"):
        return right
    return (_EXTENDED if right == "ExtendedRight" else _WRITTEN).get(sort.lower(), sort)
