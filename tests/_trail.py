"""Hand-made CloudTrail records, synthetic."""

from __future__ import annotations

from typing import Any

ACCOUNT = "111122223333"


def event(number: int, **more: Any) -> dict[str, Any]:
    """A grant by the IAM user ana; ``more`` replaces or adds fields."""
    return {
        "eventVersion": "1.08", "eventID": f"e-{number}", "eventTime": f"2026-06-{number % 28 + 1:02d}T10:00:00Z",
        "eventSource": "iam.amazonaws.com", "eventName": "AttachRolePolicy", "recipientAccountId": ACCOUNT,
        "userIdentity": {"type": "IAMUser", "principalId": "AIDAEXAMPLE000000001", "accountId": ACCOUNT,
                         "arn": f"arn:aws:iam::{ACCOUNT}:user/ana", "userName": "ana"},
        "requestParameters": {"roleName": "etl", "policyArn": f"arn:aws:iam::aws:policy/P{number}"},
        **more,
    }
