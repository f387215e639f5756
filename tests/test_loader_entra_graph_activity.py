"""The Microsoft Graph activity log. Records here are made up, except those under ``shared_data``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from lineage_analytics.loaders._entra_graph_rows import path_of, template
from tests._microsoft import Json, as_csv, as_json, as_lines, load, same

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TENANT = "7a1b0000-0000-4000-8000-00000000000a"
ANA, BOT = "11111111-0000-4000-8000-000000000001", "22222222-0000-4000-8000-000000000002"
APP = "33333333-0000-4000-8000-000000000003"


def request(number: int, method: str = "GET", path: str = "/v1.0/users", **more: Any) -> Json:
    """The properties of a synthetic request of a user."""
    return {
        "timeGenerated": f"2026-03-01T10:00:{number:02d}.1234567Z", "location": "North Europe",
        "requestId": f"{number:08d}-aaaa-4000-8000-000000000000", "operationId": f"{number:08d}-bbbb-4000-8000-000000000000",
        "clientRequestId": "c", "apiVersion": "v1.0", "requestMethod": method, "responseStatusCode": 200,
        "durationMs": 7, "responseSizeBytes": 1, "signInActivityId": f"Tok-{number}", "roles": "", "appId": APP,
        "scopes": "User.Read.All", "ipAddress": "198.51.100.7", "userAgent": "sdk/1",
        "requestUri": f"https://graph.microsoft.com{path}", "userId": ANA, "C_Idtyp": "user", "C_Sid": "session-1",
        "servicePrincipalId": "",
    } | more


AS_APP = {"userId": "", "servicePrincipalId": BOT, "C_Idtyp": "app", "C_Sid": ""}
RECORDS = [request(1), request(2, "PATCH", f"/beta/users/{ANA}", responseStatusCode=403),
           request(3, "POST", "/v1.0/$batch", **AS_APP), request(4, "DELETE", f"/v1.0/groups/{BOT}", responseStatusCode=404)]


def envelope(record: Json) -> Json:
    return {
        "time": record["timeGenerated"], "resourceId": f"/TENANTS/{TENANT.upper()}/PROVIDERS/MICROSOFT.AADIAM",
        "operationName": "Microsoft Graph Activity", "operationVersion": "v1.0", "category": "MicrosoftGraphActivityLogs",
        "resultSignature": str(record["responseStatusCode"]), "durationMs": "7", "callerIpAddress": record["ipAddress"],
        "correlationId": record["requestId"], "level": "Informational", "location": "North Europe", "properties": record,
        "tenantId": TENANT,
    }


def table(record: Json) -> Json:
    return {"TenantId": "a-workspace", "AadTenantId": TENANT, "Type": "MicrosoftGraphActivityLogs",
            **{key[0].upper() + key[1:]: value for key, value in record.items()}}


SHAPES: dict[str, Callable[[list[Json]], bytes]] = {
    "lines": lambda records: as_lines([envelope(r) for r in records]),
    "hub": lambda records: as_json({"records": [envelope(r) for r in records]}),
    "table_lines": lambda records: as_lines([table(r) for r in records]),
    "table_csv": lambda records: as_csv([table(r) for r in records]),
}
CONTRACT_FILES: dict[str, bytes] = {name: write(RECORDS) for name, write in SHAPES.items()}


def lines(*records: Json) -> bytes:
    return as_lines([envelope(r) for r in records])


@pytest.mark.parametrize("shape", SHAPES)
def test_the_same_requests_give_the_same_rows_in_every_packaging(shape: str) -> None:
    plain, packed = load(SHAPES["lines"](RECORDS)), load(SHAPES[shape](RECORDS))
    assert (packed.source, packed.faults) == ("entra_graph_activity", [])
    for name in ("activity", "identity_facts"):
        assert same(packed.frames[name]) == same(plain.frames[name]), name


def test_a_request_is_an_act_of_its_user_or_of_its_application_with_the_token_as_the_join() -> None:
    rows = load(lines(*RECORDS)).rows("activity")
    assert [(r["action"], r["outcome"], r["error_code"], r["is_read"]) for r in rows] == [
        ("GET /users", "success", None, True), ("PATCH /users/{id}", "denied", "403", False),
        ("POST /$batch", "success", None, None), ("DELETE /groups/{id}", "failure", "404", False)]
    assert [(r["actor_id"], r["actor_session_id"], r["credential_id"]) for r in rows[1:3]] == [
        (f"entra:{TENANT}:{ANA}", "session-1", "Tok-2"), (f"entra:{TENANT}:{BOT}", "Tok-3", "Tok-3")]
    assert rows[1]["resource_id"] == f"entra:{TENANT}:graph/users/{ANA}"
    assert {tuple(r["extra_resource_ids"]) for r in rows} == {(f"entra:{TENANT}:application/{APP}",)}


@pytest.mark.parametrize(("uri", "operation"), [
    ("https://graph.microsoft.com/v1.0/users/ana@contoso.com/messages?$search=secret", "/users/{id}/messages"),
    ("https://graph.microsoft.com/beta//me/drive/root:/a%20b.docx", "/me/drive/{id}/{id}"),
    ("https://graph.microsoft.com/v1.0/users('ana@contoso.com')/manager", "/users({})/manager"),
    ("https://graph.microsoft.com/v1.0/reports/getX(period='D7')", "/reports/getX({})"),
    ("https://graph.microsoft.com/v1.0/me/microsoft.graph.delta()", "/me/microsoft.graph.delta()"),
    ("https://example.com/", "/"), ("http://[", ""), ("", "/"),
])
def test_an_operation_has_no_objects_in_its_name(uri: str, operation: str) -> None:
    assert template(path_of(uri)) == operation


def test_what_somebody_searched_for_is_stored_nowhere() -> None:
    found = load(lines(request(1, path="/v1.0/me/messages?$search=%22canary%22&$filter=a")))
    assert "canary" not in str([frame.to_dicts() for frame in found.frames.values()])


def test_a_token_of_an_application_has_no_user_even_where_one_is_named() -> None:
    [row] = load(lines(request(1, **(AS_APP | {"userId": ANA})))).rows("activity")
    assert row["actor_id"] == f"entra:{TENANT}:{BOT}"
    [nobody] = load(lines(request(1, userId="", C_Idtyp=""))).rows("activity")
    assert nobody["actor_id"] is None


def older(number: int, uri: str, **more: Any) -> Json:
    """A synthetic request to Azure AD Graph, the older API, as its diagnostic category writes it."""
    return {
        "category": "AzureADGraphActivityLogs", "location": "WestEurope", "operationName": "AAD Graph Activity",
        "tenantId": TENANT, "properties": {
            "actorType": "User", "apiVersion": "1.6", "appId": APP, "callerIpAddress": "198.51.100.7", "durationMs": 5,
            "clientAuthMethod": 0, "directAccessSource": "Gateway", "env_cloud_role": "restdirectoryservice",
            "httpMethod": "GET", "httpStatusCode": 200, "issuedAt": "3/1/2026 9:50:00 AM", "location": "WestEurope",
            "requestId": f"{number:08d}-cccc-4000-8000-000000000000", "requestUri": uri, "responseSizeBytes": -1,
            "roles": "", "scopes": "user_impersonation", "servicePrincipalId": "", "sessionId": "session-1",
            "signInActivityId": "AAAAAAAAAAAAAAAAAAAAAA==", "tenantId": TENANT, "wids": "", "userId": ANA,
            "timeGenerated": f"2026-03-01T10:00:{number:02d}.5000000Z", "userAgent": "sdk/0"} | more}


def test_a_request_to_the_older_api_reads_as_one_to_the_newer() -> None:
    found = load(as_lines([
        older(1, f"/v2/{TENANT}/users/<pii>Ana.A</pii>@contoso.com", httpStatusCode=403),
        older(2, f"/{TENANT}/$batch", httpMethod="POST", userId="", servicePrincipalId=BOT, signInActivityId="Tok-2")]))
    assert (found.source, found.faults) == ("entra_graph_activity", [])
    assert [(r["action"], r["resource_id"], r["outcome"], r["is_read"], r["credential_id"], r["ip"], r["unmapped"])
            for r in found.rows("activity")] == [
        ("GET /users/{id}", f"entra:{TENANT}:graph/users/Ana.A@contoso.com", "denied", True, None, "198.51.100.7", None),
        ("POST /$batch", f"entra:{TENANT}:graph/$batch", "success", None, "Tok-2", "198.51.100.7", None)]
    assert [r["actor_id"] for r in found.rows("activity")] == [f"entra:{TENANT}:{ANA}", f"entra:{TENANT}:{BOT}"]


def test_new_fields_are_kept() -> None:
    assert [r["unmapped"] for r in load(lines(request(1), request(2, extra=1))).rows("activity")] == [None, '{"extra":1}']
    # Keys that tenants send and the reference does not list.
    [row] = load(lines(request(1, isReplay=False, policyEvaluated=True))).rows("activity")
    assert row["unmapped"] is None


def test_the_real_request_is_read(shared_data: Path) -> None:
    path = shared_data / "entra" / "sekoia" / "azure-ad" / "graph_activity_1.json"
    found, raw = load(path.read_bytes()), json.loads(path.read_text())
    [row] = found.rows("activity")
    assert (found.source, row["event_id"], row["outcome"], row["tenant"]) == (
        "entra_graph_activity", raw["properties"]["requestId"], "denied", raw["tenantId"])
    assert row["actor_id"] == f"entra:{raw['tenantId']}:{raw['properties']['userId']}"
    assert row["unmapped"] is None
