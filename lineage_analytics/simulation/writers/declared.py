"""The customer's own lists: owners, persons, crown jewels, AI workflows, expected sources, environments, tenants of the
organisation, what configuration items of its tickets stand for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lineage_analytics.simulation.dice import Dice
from lineage_analytics.simulation.model import AWS_ACCOUNT, World
from lineage_analytics.simulation.writers.files import as_csv, put

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def write(directory: Path, world: World) -> None:
    put(directory / "organisation.csv", as_csv(("organisation", "synthetic"), (("Northwind (synthetic)", "yes"),)))
    agent = world.agents[0]
    put(directory / "owners.csv", as_csv(("identity", "owner", "confirmed_on", "purpose"), [
        *((o.identity, o.owner, o.confirmed_on, o.purpose) for o in world.owners),
        (agent.object_id, world.persons[0].login, "2026-03-20", "Assigns directory roles on request (synthetic)")]))
    put(directory / "persons.csv", as_csv(("person", "account", "display_name", "status", "left_on"), _persons(world)))
    first, second = world.persons[0].login, world.persons[1].login
    put(directory / "workflows.csv", as_csv(
        ("workflow", "runs_by", "assistant", "identity", "declared_class", "approver", "data", "stage", "workstream",
         "owner", "description", "evidence"), (
            ("role-requests", "directory team (synthetic)", agent.name, agent.object_id, "executes with approval",
             first, "role requests; directory roles", "production", "identity operations", first,
             "Assigns directory roles that people ask for in chat (synthetic)", "otel_genai"),
            ("console-help", "cloud team (synthetic)", "Amazon Q Developer", "", "advises", "", "AWS documentation",
             "experimental", "development", second, "Answers questions in the AWS console (synthetic)", ""),
            ("file-answers", "workplace team (synthetic)", "Microsoft 365 Copilot", "", "advises", "",
             "sites; mail", "production", "other", second, "Answers questions over files (synthetic)", ""),
            ("mailbox-triage", "service desk (synthetic)", "Mail sorter (synthetic)", "", "drafts", first, "",
             "experimental", "support", first, "Planned, in no log so far (synthetic)", ""))))
    put(directory / "crown_jewels.csv", as_csv(("id", "kind", "reason"), (
        (world.cast["deploy"].arn, "role", "Deploys everything (synthetic)"),
        (world.policies["AdministratorAccess"].arn, "policy", "Full control of the account (synthetic)"))))
    put(directory / "tenants.csv", as_csv(("organisation", "tenant"), [
        ("Northwind (synthetic)", tenant) for tenant in world.cast.get("tenants", ())]))
    put(directory / "configuration_items.csv", as_csv(
        ("ci", "instance", "target"), world.cast.get("configuration_items", ())))
    since = f"{world.start:%Y-%m-%d}"
    put(directory / "expected_sources.csv", as_csv(("source", "tenant", "since"), (
        ("aws_cloudtrail", AWS_ACCOUNT, since), ("entra_audit", world.tenant, since),
        ("m365_audit", world.tenant, since), ("github_audit", "northwind-archive-synthetic", since))))
    dice = Dice(world.seed, "environments")
    put(directory / "environments.csv", as_csv(("identity", "environment"), (
        (p.arn, p.environment) for p in world.principals
        if p.is_nhi and p.environment and "environment" not in p.tags and dice.chance(0.5))))


def _persons(world: World) -> Iterator[tuple[str, str, str, str, str]]:
    for person in world.persons:
        if not person.declared:
            continue
        status = "left" if person.left_on else "active"
        left = f"{person.left_on:%Y-%m-%d}" if person.left_on else ""
        account = person.object_id if person.admin_id else person.login
        yield person.ref, account, person.name, status, left
        if person.admin_id:
            yield person.ref, person.admin_id, f"{person.name} (admin)", status, left
    for person, account in world.cast.get("declared accounts", ()):
        if person.declared:
            status, left = ("left", f"{person.left_on:%Y-%m-%d}") if person.left_on else ("active", "")
            yield person.ref, account.ref, person.name, status, left
    for user in world.principals:
        if user.person is not None:
            yield user.person.ref, user.arn, user.person.name, "active", ""
