"""What every OCSF event says alike: its class, what was done, to what, with which outcome."""

from __future__ import annotations

from lineage_analytics.loaders import _ocsf_classes as classes
from lineage_analytics.loaders._ocsf_cloudtrail import is_cloudtrail
from lineage_analytics.loaders.common.values import Fields, name, obj, objects, text

_DENIALS = frozenset({"accessdenied", "accessdeniedexception", "unauthorizedoperation", "client.unauthorizedoperation",
                      "forbidden", "403", "denied", "permission_denied"})
_DENYING_DISPOSITIONS = frozenset({2, 6})  # blocked, dropped


def number(value: object) -> int | None:
    shown = text(value) or ""
    return int(shown) if shown.isdecimal() and len(shown) < 10 else None


def class_of(record: Fields) -> int:
    """The class; 3005 was API Activity in the release candidates of 1.0, which older lakes still hold."""
    found = number(record.get("class_uid")) or 0
    return 6003 if found == 3005 and (text(record.get("class_name")) or "").lower() == "api activity" else found


def action_of(record: Fields, kind: tuple[int, int | None]) -> str:
    """The API operation (``iam:AttachRolePolicy`` for AWS), else the type as OCSF captions it."""
    api = obj(record.get("api"))
    operation = name(api.get("operation"))
    if operation is not None:
        service = name(obj(api.get("service")).get("name")) or ""
        aws = service.endswith(".amazonaws.com")
        return f"{service.removesuffix('.amazonaws.com')}:{operation}" if aws else operation
    caption = name(record.get("type_name"))
    if caption is not None:
        return caption
    label = name(record.get("class_name")) or classes.CLASSES.get(kind[0], f"class {kind[0]}")
    return f"{label}: {name(record.get('activity_name')) or kind[1]}"


def resources_of(record: Fields) -> list[str]:
    """What the event is about, by immutable id where there is one, in the order of the record.

    Of a CloudTrail event the resources it lists and nothing else, as in the original.
    """
    if is_cloudtrail(record):
        return list(dict.fromkeys(held for item in objects(record.get("resources")) if (held := name(item.get("uid")))))
    found: list[str] = []
    for item in (*objects(record.get("resources")), *(obj(record.get(key)) for key in (
            "resource", "entity", "group", "role", "databucket", "database", "table", "file", "app", "service"))):
        held = name(item.get("uid")) or name(item.get("path")) or name(item.get("name"))
        if held is not None:
            found.append(held)
    found += [held for item in objects(record.get("web_resources"))
              if (held := name(item.get("url_string")) or name(item.get("uid")) or name(item.get("name")))]
    if not found:
        user = obj(record.get("user"))
        found = [held for held in (name(user.get("uid")) or name(user.get("name")),) if held]
    return list(dict.fromkeys(found))


def outcome_of(record: Fields) -> str:
    status, word = number(record.get("status_id")), (text(record.get("status")) or "").lower()
    if number(record.get("action_id")) == 2 or number(record.get("disposition_id")) in _DENYING_DISPOSITIONS:
        return "denied"
    if class_of(record) in classes.FINDINGS:  # there the status is how far somebody got with it
        return "unknown"
    if status == 2 or (status is None and word in ("failure", "failed", "error")):
        return "denied" if (error_of(record) or "").lower() in _DENIALS else "failure"
    if status == 1 or (status is None and word in ("success", "succeeded")):
        return "success"
    return "unknown"


def error_of(record: Fields) -> str | None:
    response = obj(obj(record.get("api")).get("response"))
    return name(response.get("error")) or name(record.get("status_code")) or name(response.get("code"))
