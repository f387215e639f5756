"""The tables of decision lineage, all derived from the facts: cases, their steps and links, what was not linked, what
is missing, what needs review, and the workflows they belong to."""

from __future__ import annotations

import polars as pl

from lineage_analytics.schema import (
    AGENT_CLASSES,
    AUTHORITY_MODES,
    PROVENANCE,
    STEP_KINDS,
    TEXTS,
    TIME,
    Table,
    columns_of,
)

CASES = Table("cases", "decision cases", columns_of({
    "case_id": (pl.String, "dec-..."), "tenant": PROVENANCE["tenant"], "provider": PROVENANCE["provider"],
    "anchor_kind": (pl.String, ""), "anchor_event_id": (pl.String, "native id of the anchor"),
    "time": (TIME, "of the anchor"), "operation": (pl.String, "of the anchor"),
    "target_key": (pl.String, "of the anchor"), "title": (pl.String, "untrusted text"),
    "change_class": (pl.String, "", "grant revoke role_change credential_action policy_change exception unknown"),
    "executed": (pl.Boolean, "an action took effect"),
    "involvement_class": (pl.String, "", "none advises drafts executes_approved executes_autonomous unknown"),
    "involvement_bounds": (pl.String, "for unknown: the classes it may be"),
    "assistant_id": (pl.String, "the assistant or agent with a part in it; null: none seen"),
    "workflow_id": (pl.String, "the workflow it belongs to, declared or observed; null: none"),
    "workstream": (pl.String, "", "identity_operations development support other"),
    "environment": (pl.String, "prod or non-prod of what was changed; null: unknown"),
    "tier0": (pl.Boolean, "whether tier 0 was changed; null: the record does not name what was"),
    "approval_verdict": (pl.String, "", "approved_before retroactive order_uncertain denied absent not_required "
                         "automated_policy expired scope_exceeded stale quorum_not_met contradicted unknown"),
    "order_verdict": (pl.String, "", "prior order_uncertain retroactive none"),
    "independent": (pl.String, "approver is not initiator; interested: another, who owns or sponsors the agent acting",
                    "yes no by_account_only interested unknown"),
    "effect_match": (pl.String, "what was executed beside what was approved; null: nothing approved on record",
                     "exact narrower broader different unknown"),
    "approver_id": (pl.String, "null: none known"), "initiator_id": (pl.String, "null: none known"),
    "executor_id": (pl.String, "who carried it out; null: not stated"),
    "verifier_id": (pl.String, "who confirmed the outcome; null: nobody on record"),
    "signalled_at": (TIME, "of the first signal; null: none on record"),
    "recommended_at": (TIME, "of the first recommendation; null: none on record"),
    "requested_at": (TIME, "of the first request; null: none on record"),
    "approved_at": (TIME, "of the decision that counts; null: none on record"),
    "advice_verdict": (pl.String, "what became of the recommendation; null: none, or nobody decided on it",
                       "accepted changed rejected"),
    "batch_id": (pl.String, "shared by cases that one key or one approval covers; null: alone"),
    "batch_size": (pl.Int64, "cases of the batch; null: alone"),
    "per_item_review": (pl.Boolean, "whether each item of the batch was decided by itself; null: no batch, or nothing "
                                    "decided"),
    "break_glass": (pl.Boolean, "an account declared for emergencies carried it out"),
    "accountable_id": (pl.String, "null: none"), "accountable_rule": (pl.String, "", "by_decision by_initiation "
                       "by_sponsorship by_automation_owner none"),
    "reversibility": (pl.String, "", "reversible reversible_with_loss irreversible unknown"),
    "rollback_path": (pl.String, "is a way back on record", "recorded inferred missing unknown"),
    "rolled_back_by": (pl.String, "case id; null: not rolled back"),
    "rolled_back_at": (TIME, "null: not rolled back"),
    "rollback_kind": (pl.String, "null: not rolled back", "exact_inverse state_restoring partial"),
    "rollback_share": (pl.Float64, "of what was changed, how much was taken back, 0 to 1; null: not rolled back"),
    "rollback_tested": (pl.Boolean, "what takes it back has succeeded in this tenant in the 180 days to as_of; null: "
                                    "the inverse table does not know the operation"),
    "rolls_back": (pl.String, "case id it undoes; null: none"),
    "completeness": (pl.Float64, "share of required elements present, 0 to 1"),
    "weakest_tier": (pl.Int8, "of required links; null: single record"),
    "status": (pl.String, "", "executed rolled_back attempted denied pending expired open"),
    "digest": (pl.String, "SHA-256 over the rows of the case in all tables; see graphs.decisions.replay"),
}), derived=True)

STEPS = Table("steps", "steps with the case they belong to", columns_of({
    "step_id": (pl.String, ""), "case_id": (pl.String, ""), "kind": (pl.String, "", STEP_KINDS),
    "time": (TIME, ""), "agent_ids": (TEXTS, "who acted"), "agent_class": (pl.String, "", AGENT_CLASSES),
    "operation": (pl.String, ""), "verdict": (pl.String, "null unless a decision"),
    "target_key": (pl.String, ""), "effect_key": (pl.String, ""), "status": (pl.String, ""),
    "event_id": (pl.String, ""), "record_ids": (TEXTS, ""), "authority_mode": (pl.String, "", AUTHORITY_MODES),
    "initiator_id": (pl.String, "null: not stated"), "on_behalf_of_id": (pl.String, "null: none seen"),
    "assistant_id": (pl.String, "assistant through which it came; null: none seen"),
    "capacity": (pl.String, "in which somebody decided; null: not stated"),
    "origin": (pl.String, "of a recommendation; null: another kind of step, or not stated", "ai rule human unknown"),
    "recommended_value": (pl.String, "null: not stated"), "decided_value": (pl.String, "null: not stated"),
    "applied_value": (pl.String, "null: not stated"), "expires_at": (TIME, "null: no end stated"),
    "before_state": (pl.String, "null: not stated"), "after_state": (pl.String, "null: not stated"),
    "justified": (pl.Boolean, "whether a reason was given; null: the source has no such field"),
    "title": (pl.String, "untrusted text"), "source": (pl.String, ""), "tenant": PROVENANCE["tenant"],
}), derived=True)

LINKS = Table("links", "links between steps", columns_of({
    "src": (pl.String, "step id"), "dst": (pl.String, "step id"), "rel": (pl.String, "",
        "informed_by read proposes about authorised_by triggered_by resulted_in rolls_back requested_by ends"),
    "method": (pl.String, "", "same_record native_ref business_key quoted_key window inverse"),
    "confidence": (pl.Float64, "a label for sorting, not a probability"), "tier": (pl.Int8, "5 to 1"),
    "delta_seconds": (pl.Float64, "time of dst less time of src, as logged"), "skew_band_s": (pl.Float64, "s"),
    "clock_offset_s": (pl.Float64, "how far the clock of dst's source runs before that of src's, as estimated from "
                                   "exact pairs; 0 where too few pairs tell"),
    "order": (pl.String, "of dst to src, clocks corrected: prior (dst came first), order_uncertain, later",
              "prior order_uncertain later"),
    "asserted_by": (pl.String, "source whose record states the link"),
    "record_ids": (TEXTS, ""), "rule_id": (pl.String, ""), "n_candidates": (pl.Int64, ""),
}), derived=True)

LINK_REJECTS = Table("link_rejects", "what was considered and not linked", columns_of({
    "src": (pl.String, "step id"), "rel": (pl.String, ""), "candidates": (TEXTS, "step ids"),
    "reason": (pl.String, "", "ambiguous contradicted outside_window target_differs key_unsafe tenant_differs cyclic "
               "superseded failed"),
}), derived=True)

DECISION_FINDINGS = Table("decision_findings", "what in a case needs review, and by which records", columns_of({
    "case_id": (pl.String, ""),
    "finding": (pl.String, "",
        "self_approval interested_approver approver_appointed_by_requester new_approver flagged_approver "
        "automated_policy approval_expired retroactive_approval executed_after_denial executed_after_revocation "
        "stale_approval scope_exceeded quorum_not_met approver_shopping against_recommendation no_per_item_review "
        "record_conflict contradicted logging_disabled_during_case break_glass break_glass_unreviewed flapping "
        "authority_switch scope_amplification delegation_outlives_parent delegation_cycle delegation_too_deep "
        "delegation_to_itself delegation_out_of_time delegation_wrong_audience cyclic_claims unsafe_key "
        "clock_offset class_exceeded experimental_in_production"),
    "reading": (pl.String, "in words, for a reader of the case"),
    "agent_id": (pl.String, "whom it is about; null: nobody in particular"),
    "step_ids": (TEXTS, "steps that show it"), "record_ids": (TEXTS, "records that show it"),
}), derived=True)

GAPS = Table("gaps", "what is missing from a case, and why", columns_of({
    "gap_id": (pl.String, ""), "case_id": (pl.String, ""), "element": (pl.String, "",
        "signal recommendation rationale data_inputs request decision approver_identity execution "
        "executor_identity before_state after_state outcome rollback_path correlation time_order initiator"),
    "reason": (pl.String, "", "not_collected outside_coverage pending not_recorded_by_provider expired redacted "
               "truncated unparseable ambiguous absent contradicted"),
    "expected_source": (pl.String, "null: no source known to hold it"), "expected_by": (TIME, "null: no bound"),
    "since": (TIME, "time of the step that lacks it"), "effect_on_verdict": (pl.String, ""),
}), derived=True)

INVOLVEMENT = "none advises drafts executes_approved executes_autonomous"

WORKFLOWS = Table("workflows", "workflows in which assistants take part: as declared beside as observed", columns_of({
    "workflow_id": (pl.String, "as in cases"), "name": (pl.String, "as declared; else assistant and kind of change"),
    "declared": (pl.Boolean, "in the customer's register; false: found in the logs alone"),
    "owner": (pl.String, "as declared; null: not stated"),
    "description": (pl.String, "as declared; null: not stated"),
    "stage": (pl.String, "as declared; null: not stated", "experimental production"),
    "workstream": (pl.String, "as declared; null: not stated", "identity_operations development support other"),
    "workstreams": (TEXTS, "of its cases"),
    "runs_by": (pl.String, "who runs it, as declared; null: not stated"),
    "runner_ids": (TEXTS, "who started its cases or used its assistant, at most 20"),
    "runners": (TEXTS, "their names"),
    "assistant": (pl.String, "as declared; null: not stated"),
    "identity_ids": (TEXTS, "accounts it is declared to act with"),
    "assistant_ids": (TEXTS, "assistants and accounts by which its cases are known"),
    "assistants": (TEXTS, "their names"),
    "class_declared": (pl.String, "what it may do; null: not declared", INVOLVEMENT),
    "class_observed": (pl.String, "the most powerful class proved for any of its cases; null: none is proved",
                       INVOLVEMENT),
    "class_at_least": (pl.String, "what some case of it surely was at least, also where its class is not known; null: "
                                  "no case", INVOLVEMENT),
    "class_at_most": (pl.String, "the most powerful class it may have had, unknown cases and cases that fit another "
                                 "workflow as well counted as the most they may be; null: no case", INVOLVEMENT),
    "n_none": (pl.Int64, "cases of that class"), "n_advises": (pl.Int64, ""), "n_drafts": (pl.Int64, ""),
    "n_executes_approved": (pl.Int64, ""), "n_executes_autonomous": (pl.Int64, ""),
    "n_unknown": (pl.Int64, "cases whose class is not known"),
    "class_creep": (pl.Boolean, "some case is surely above the declared class; null: not declared, or not known"),
    "creep_cases": (pl.Int64, "how many are"),
    "approver": (pl.String, "as declared; null: not stated"),
    "approver_ids": (TEXTS, "who approved its cases, at most 20"), "approvers": (TEXTS, "their names"),
    "data_declared": (TEXTS, "what it may read; empty: not stated"),
    "data_observed": (TEXTS, "places and kinds of what its assistants read, most read first, at most 20"),
    "resources_read": (pl.Int64, "distinct resources its assistants read; null: no log of what they read"),
    "inputs": (TEXTS, "signals and recommendations its cases began with, at most 20"),
    "logged_by": (TEXTS, "sources that record it"),
    "hand_over": (pl.String, "where authority passes from the assistant to a person, by its most powerful class: "
                             "executor (a person carries out what it advised or drafted), approver (a person decides "
                             "before it acts), nobody (it decides and acts), unknown; null: no case",
                  "executor approver nobody unknown"),
    "to_executor": (pl.Int64, "cases that pass so"), "to_approver": (pl.Int64, ""), "to_nobody": (pl.Int64, ""),
    "to_unknown": (pl.Int64, ""),
    "cases": (pl.Int64, "cases that are its own"),
    "shared_cases": (pl.Int64, "cases that fit another declared workflow as well"),
    "environments": (TEXTS, "of what its cases changed"),
    "tier0_cases": (pl.Int64, "cases that changed tier 0"),
    "experimental_writes": (pl.Int64, "changes its assistant surely made in production although it is declared "
                                      "experimental"),
    "first": (TIME, "of its cases and of what its assistants read; null: none"), "last": (TIME, "likewise"),
    "record_ids": (TEXTS, "its declaration, then records that show it at work, at most 20"),
}), derived=True)

ELEMENTS = Table("elements", "per case: is each element of its lineage there", columns_of({
    "case_id": (pl.String, ""),
    "element": (pl.String, "", "initiator inputs recommendation approver action rollback"),
    "state": (pl.String, "proved: on record or linked at tier 3 or above; inferred: linked below; unknown: the record "
        "that would show it is not loaded, not recorded or ambiguous; missing: its source is covered and it is not "
        "there; not_required: this change needs none; pending: may still arrive",
        "proved inferred unknown missing not_required pending"),
    "reason": (pl.String, "in words; for unknown the reason of the gap"),
    "record_ids": (TEXTS, "records that show it; empty when none does"),
}), derived=True)
