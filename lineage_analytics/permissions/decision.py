"""The answer to "may this principal do this here?": a verdict with the statements that decided it."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from lineage_analytics.text import printable

ALLOWED, DENIED, CONDITIONAL, UNKNOWN = "allowed", "denied", "conditional", "unknown"
VERDICTS = (ALLOWED, DENIED, CONDITIONAL, UNKNOWN)
EFFECTS = ("allow", "deny", "limit", "condition", "missing")


@dataclass(frozen=True, slots=True)
class Because:
    """One thing that decided.

    ``effect`` is one of allow, deny, limit (a boundary, an organisation's or a session's policy), condition (what
    was not evaluated) and missing (what would have to be loaded); ``says`` is a sentence; ``record_ids`` are the
    records behind it, none where nothing says it.
    """

    effect: str
    says: str
    record_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Decision:
    """``verdict`` is allowed, denied, conditional (it hangs on a condition that was not evaluated, or on an activation)
    or unknown (something that could change the answer is not loaded or cannot be read); ``because`` says why, what
    weighs most first."""

    principal: str
    action: str
    resource: str
    verdict: str
    because: tuple[Because, ...]

    def __repr__(self) -> str:
        lines = [f"{printable(self.principal)} {printable(self.action)} on {printable(self.resource)}: {self.verdict}"]
        lines += [f"  {reason.effect}: {printable(reason.says, 400)}"
                  + (f"  [{', '.join(reason.record_ids[:3])}]" if reason.record_ids else "") for reason in self.because]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        items = "".join(f"<li>{escape(reason.effect)}: {escape(printable(reason.says, 400))}</li>"
                        for reason in self.because)
        return (f"<p><strong>{escape(self.verdict)}</strong>: {escape(printable(self.principal))} "
                f"{escape(printable(self.action))} on {escape(printable(self.resource))}</p><ul>{items}</ul>")
