"""From the thought-up organisation to files: native formats, declared lists, the truth and a word of warning."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lineage_analytics.simulation import truth
from lineage_analytics.simulation.model import NAME, World
from lineage_analytics.simulation.writers import aws_cloudtrail, aws_iam, declared, entra_audit, m365_audit
from lineage_analytics.simulation.writers.files import put

if TYPE_CHECKING:
    from pathlib import Path

_README = f"""# {NAME}: a made-up organisation

Nothing here is real: people, accounts, documents and events are synthetic, written by `lineage simulate`.

    aws_cloudtrail/  aws_iam/  m365_audit/  entra_audit/   synthetic exports in the providers' own formats
    declared/                                              the organisation's own lists
    truth/                                                 the known answers; no loader reads them

`truth/` is what was thought up, not what was measured: measures.json (numerators and denominators of the report's
window), identities.csv, links.csv, records.json (distinct records by source) and stories.json (what was planted).

On purpose, the exports hold the same events in several packagings, records delivered two days late, three days without
any Microsoft 365 export, a source that never delivered, and one cut file. The cut file repeats a day that stands
elsewhere in full, so whatever is kept of it is a duplicate and the truth is the same with it and without it.
"""


def write_everything(directory: Path, world: World) -> None:
    for name, writer in (("aws_cloudtrail", aws_cloudtrail), ("aws_iam", aws_iam), ("m365_audit", m365_audit),
                         ("entra_audit", entra_audit), ("declared", declared)):
        writer.write(directory / name, world)
    truth.write(directory / "truth", world)
    put(directory / "README.md", _README.encode())
