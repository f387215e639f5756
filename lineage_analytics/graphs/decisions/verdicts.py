"""What the records of one case show: what part AI had, who answers for it, and what kind of change it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from lineage_analytics.graphs.decisions.steps import AI, SOFTWARE, Person, Step

if TYPE_CHECKING:
    from lineage_analytics.graphs.decisions.approvals import Approval, Scene
    from lineage_analytics.graphs.decisions.case import Case

_OPEN = frozenset({"unknown", "order_uncertain", "contradicted"})
_TRACES = frozenset({"lineage_case", "mcp_request"})
_MASKED = "none, executes_approved or executes_autonomous"


class Involvement(NamedTuple):
    """The class of AI involvement; ``bounds`` are what an unknown one may be."""

    name: str
    bounds: str | None = None


def assistant(case: Case) -> str | None:
    """The assistant or AI agent with a part in the case: the one that acted, else the one that asked or advised."""
    for step in (*case.of("action", "rollback", "attempt"), *case.of("request", "recommendation", "draft")):
        if step.assistant is not None:
            return step.assistant
        if step.agent_class in AI and step.actor is not None:
            return step.actor
    return None


def involvement(case: Case, approved: Approval) -> Involvement:
    """From evidence alone (decision-lineage 13): who carried it out, then what AI prepared or advised before.

    A class is given where its evidence is there and no more powerful one can be behind it; else it is unknown, with
    the classes it may be.
    """
    acting = case.acts("action", "rollback") or case.acts("attempt")
    if any(step.with_ai for step in (*acting, *_told_by_agents(case))):
        return _executed(approved)
    prepared, advised = _prepared(case), _advised(case)
    if any(step.authority == "masked" for step in acting or case.steps):
        return Involvement("unknown", "drafts or executes_approved" if prepared and approved.counts else _MASKED)
    if prepared or advised:
        return _helped(acting, prepared=prepared, decided=_decided(case, approved))
    classes = {step.agent_class for step in acting or case.steps}
    if classes & {"unknown", "group", "organisation"}:
        return Involvement("unknown", "none, or any: nothing shows whether a person, software or AI acted")
    return Involvement("none")


def _told_by_agents(case: Case) -> list[Step]:
    """What an agent's own trace says it carried out, joined to the provider's record by a key that a system wrote."""
    return [step for step in case.of("action", "rollback") if step.key_kind in _TRACES]


def _executed(approved: Approval) -> Involvement:
    if approved.counts:
        return Involvement("executes_approved")
    if approved.verdict in _OPEN:
        return Involvement("unknown", "executes_approved or executes_autonomous")
    return Involvement("executes_autonomous")


def _helped(acting: list[Step], *, prepared: bool, decided: bool) -> Involvement:
    """AI prepared or advised it, and somebody else carried it out: a person, or software that a person set off."""
    name = "drafts" if prepared else "advises"
    if not acting:
        return Involvement("unknown", "advises or drafts")
    classes = {step.agent_class for step in acting}
    if classes == {"human"} or (classes <= SOFTWARE | {"human"} and decided):
        return Involvement(name)
    if classes <= SOFTWARE:
        return Involvement("unknown", f"{name} or executes_autonomous: software carried it out, and no person's "
                                      "decision to do so is on record")
    return Involvement("unknown", f"{name} or any above: nothing shows who carried it out")


def _decided(case: Case, approved: Approval) -> bool:
    """Whether a person let it happen: approved it before, or merged what software then carried out."""
    return approved.counts or any(
        step.agent_class == "human" and not step.with_ai for step in case.of("action", "rollback"))


def _prepared(case: Case) -> bool:
    """Whether AI made an inert artefact of the case: a draft, or a request that others carry out."""
    return any(step.with_ai or step.origin == "ai" for step in (*case.of("draft"), *case.about("request"))
               if step.kind != "request" or step.with_ai)


def _advised(case: Case) -> bool:
    """Whether AI advised it. Advice of a rule engine is automation, not AI."""
    return any(step.origin == "ai" or (step.with_ai and step.origin != "rule") for step in case.of("recommendation"))


def accountable(case: Case, approved: Approval, scene: Scene) -> tuple[str | None, str]:
    """The accountable human and the rule that found them; only the first rule is an approval."""
    if approved.counts and approved.by is not None:
        return approved.by.actor, "by_decision"
    known, asked, anchor = scene.known, scene.asked(case), case.anchor
    if asked is not None and (known.get(asked, Person()).kind == "human" or anchor.agent_class == "human"):
        return asked, "by_initiation"
    owner = known.get(anchor.actor or "", Person()).owner
    if owner is not None:
        return owner, "by_sponsorship" if anchor.with_ai else "by_automation_owner"
    return None, "none"


def change_class(step: Step) -> str:
    """The kind of change, from what the operation is about."""
    text = step.operation.casefold()
    if any(word in text for word in ("accesskey", "loginprofile", "mfadevice", "credential", "password", "secrets",
                                     "servicespecific", "sshpublickey", "signingcertificate")):
        return "credential_action"
    verb = (step.effect or "").partition("(")[0]
    if verb in ("grant", "revoke"):
        return verb
    if any(word in text for word in ("policy", "setting", "federation", "domain", "logging", "trail", "boundary")):
        return "policy_change"
    return {"create": "role_change", "delete": "role_change", "restore": "role_change", "destroy": "role_change",
            "enable": "role_change", "disable": "role_change", "set": "policy_change"}.get(verb, "unknown")
