"""What assistants read for each user, beside what the user opened."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from lineage_analytics.facts import Facts

# Operations by which a person opens a file themselves (unified audit log, SharePoint file and page activities).
OPENED = (
    "FileAccessed", "FileAccessedExtended", "FilePreviewed", "FileDownloaded", "FileModified",
    "FileModifiedExtended",
    "FileUploaded", "FileCheckedOut", "FileCheckedIn", "FileCopied", "FileMoved", "FileRenamed",
    "FileSyncDownloadedFull", "FileSyncUploadedFull", "PageViewed", "PageViewedExtended",
)
_SHOWN = 20
SCHEMA = pl.Schema([
    ("user_id", pl.String()), ("accessed", pl.Int64()), ("opened", pl.Int64()), ("accessed_not_opened", pl.Int64()),
    ("labelled", pl.Int64()), ("label_unknown", pl.Int64()), ("record_ids", pl.List(pl.String())),
])


def assistant_reach(facts: Facts) -> pl.DataFrame:
    """Per user the distinct resources an assistant accessed for them and those they opened themselves.

    Returns
    -------
    One row per user for whom an assistant accessed a listed resource in the window:
    ``user_id``; ``accessed`` distinct resources accessed by assistants in the window; ``opened`` distinct resources
    the user opened in the look-back (all loaded days of it), null where no file activity of their tenant is loaded;
    ``accessed_not_opened`` of the accessed those not opened, null likewise; ``labelled`` of the accessed those with a
    sensitivity label on record; ``label_unknown`` those without a label id, which are unlabelled or not evaluated;
    ``record_ids`` at most 20 records of the accesses. Sorted by user.

    Resources are compared by address without regard to case, and without query.
    """
    window = (pl.col("time") > facts.window_start) & (pl.col("time") <= facts.as_of)
    accessed = facts["assistant_access"].filter(
        window & (pl.col("role") == "accessed") & pl.col("user_id").is_not_null() & pl.col("resource_id").is_not_null()
    ).with_columns(resource=_address()).group_by("user_id", "resource").agg(
        labelled=pl.col("label_id").is_not_null().any(), tenant=pl.col("tenant").drop_nulls().min(),
        record_id=pl.col("record_id").min()).collect()
    if accessed.is_empty():
        return SCHEMA.to_frame()
    lookback = (pl.col("time") > facts.lookback_start) & (pl.col("time") <= facts.as_of)
    own = facts["activity"].filter(
        lookback & _operation().is_in(OPENED) & (pl.col("outcome") != "failure") & pl.col("via_assistant_id").is_null()
        & pl.col("resource_id").is_not_null() & pl.col("actor_id").is_not_null()
    ).select(user_id="actor_id", resource=_address(), tenant="tenant").unique().collect()
    logged = own["tenant"].drop_nulls().unique().to_list()
    opened = own.group_by("user_id").agg(opened=pl.col("resource").n_unique())
    both = accessed.join(own.select("user_id", "resource").unique(), on=["user_id", "resource"], how="semi")
    seen = both.group_by("user_id").agg(seen=pl.len())
    visible = pl.col("tenant").is_in(logged).fill_null(value=False)
    return accessed.group_by("user_id").agg(
        accessed=pl.len(), labelled=pl.col("labelled").sum(), label_unknown=pl.col("labelled").not_().sum(),
        tenant=pl.col("tenant").drop_nulls().min(), record_ids=pl.col("record_id").unique().sort().head(_SHOWN),
    ).join(opened, on="user_id", how="left").join(seen, on="user_id", how="left").with_columns(
        opened=pl.when(visible).then(pl.col("opened").fill_null(0)),
        accessed_not_opened=pl.when(visible).then(pl.col("accessed").cast(pl.Int64) - pl.col("seen").fill_null(0)),
    ).sort("user_id").select(SCHEMA.names()).cast(SCHEMA)


def _operation() -> pl.Expr:
    """The operation without a provider prefix."""
    return pl.col("action").str.split(":").list.last()


def _address() -> pl.Expr:
    return pl.col("resource_id").str.split("?").list.first().str.strip_chars_end("/").str.to_lowercase()
