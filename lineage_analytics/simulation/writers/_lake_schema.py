"""Columns of the lake's Parquet files, as its tables have them."""

from __future__ import annotations

import polars as pl

TEXT, NUMBER = pl.String(), pl.Int64()
_PRODUCT = pl.Struct({"name": TEXT, "vendor_name": TEXT, "version": TEXT, "feature": pl.Struct({"name": TEXT})})
_METADATA = pl.Struct({"uid": TEXT, "version": TEXT, "event_code": TEXT, "log_provider": TEXT, "tenant_uid": TEXT,
                       "product": _PRODUCT})
_USER = pl.Struct({"type": TEXT, "type_id": NUMBER, "name": TEXT, "uid": TEXT, "uid_alt": TEXT, "email_addr": TEXT,
                   "credential_uid": TEXT, "account": pl.Struct({"uid": TEXT})})
_ENDPOINT = pl.Struct({"ip": TEXT, "domain": TEXT})
LAKE = pl.Schema({
    "metadata": _METADATA, "time": NUMBER, "time_dt": TEXT,
    "cloud": pl.Struct({"provider": TEXT, "region": TEXT, "account": pl.Struct({"uid": TEXT})}),
    "api": pl.Struct({
        "operation": TEXT, "service": pl.Struct({"name": TEXT}),
        "request": pl.Struct({"uid": TEXT, "data": TEXT}),
        "response": pl.Struct({"error": TEXT, "message": TEXT, "data": TEXT})}),
    "actor": pl.Struct({"user": _USER, "invoked_by": TEXT, "session": pl.Struct({"issuer": TEXT, "uid": TEXT})}),
    "user": _USER, "http_request": pl.Struct({"user_agent": TEXT}), "src_endpoint": _ENDPOINT,
    "session": pl.Struct({"uid": TEXT}),
    "class_name": TEXT, "class_uid": NUMBER, "category_name": TEXT, "category_uid": NUMBER, "severity": TEXT,
    "severity_id": NUMBER, "activity_name": TEXT, "activity_id": NUMBER, "type_name": TEXT, "type_uid": NUMBER,
    "status": TEXT, "status_id": NUMBER, "message": TEXT,
    "unmapped": pl.List(pl.Struct({"key": TEXT, "value": TEXT})),
})
