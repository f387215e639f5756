"""The actions behind CloudTrail events, beside the table that trailscraper keeps of them (``make peers`` installs it)."""

from __future__ import annotations

import ast
import importlib.util
from pathlib import Path

import pytest

from lineage_analytics.permissions.aws.catalogue import catalogue
from lineage_analytics.permissions.aws.datafiles import iam_action
from lineage_analytics.permissions.datafiles import rows

# Where we differ from trailscraper 0.10, and why.
DIFFERENT = {
    "s3:DeleteBucketReplication": "it names s3:DeleteReplicationConfiguration, which the service does not define: "
                                  "deleting needs s3:PutReplicationConfiguration",
    "s3:PutBucketReplication": "it names s3:DeleteReplicationConfiguration for setting one as well",
    "kms:ReEncrypt": "it names the pattern kms:ReEncrypt*; an event proves the use of one action, kms:ReEncryptFrom",
}


def test_an_event_of_an_actions_own_name_stands_for_it_and_one_of_no_action_for_none() -> None:
    assert iam_action("iam:CreateUser") == "iam:CreateUser"
    assert iam_action("signin:ConsoleLogin") is None


def test_no_row_of_the_table_hides_an_action_of_the_events_own_name() -> None:
    listed = [row for row in rows("event_names", ("event", "action")) if "*" not in row["event"]]
    hidden = {row["event"] for row in listed if catalogue().index(row["event"]) is not None}
    assert hidden <= {"apigateway:TagResource", "apigateway:UntagResource"}
    assert len(listed) > 60


def test_trailscraper_names_the_same_actions_but_for_what_is_explained() -> None:
    found = importlib.util.find_spec("trailscraper")
    if found is None or found.origin is None:
        pytest.skip("trailscraper is not installed: make peers")
    theirs = _special_cases((Path(found.origin).parent / "cloudtrail.py").read_text(encoding="utf-8"))
    different = {event for event, action in theirs.items() if (iam_action(event) or "").lower() != action.lower()}
    assert different == set(DIFFERENT)
    assert len(theirs) > 40


def _special_cases(source: str) -> dict[str, str]:
    """The event names it treats apart, read from its source: its imports need more than is installed."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef) and node.name == "_event_name_to_iam_action":
            table = next(line.value for line in node.body if isinstance(line, ast.Assign))
            return {f"{service.split('.')[0]}:{event}": f"{service.split('.')[0]}:{action}"
                    for service, events in ast.literal_eval(table).items() for event, action in events.items()}
    raise AssertionError("wanted the table of event names in trailscraper, found none")
