"""Altair, imported without a grammar it has no use for.

Altair checks charts with jsonschema, which on import has a parser for international addresses compiled where that
happens to be installed (JupyterLab brings it): over a second of CPU in every process that draws. No chart holds an
address, so the parser is kept away while Altair is imported, and can be imported by others afterwards.
"""

from __future__ import annotations

import sys

_UNUSED = "rfc3987_syntax"


def import_altair() -> None:
    """Import Altair the quick way; without effect when jsonschema or the parser was imported before."""
    spare = not {_UNUSED, "jsonschema"} & set(sys.modules)
    if spare:
        sys.modules[_UNUSED] = None  # type: ignore[assignment]  # makes its import fail, which jsonschema provides for
    try:
        import altair  # noqa: F401, PLC0415
    finally:
        if spare:
            sys.modules.pop(_UNUSED, None)
