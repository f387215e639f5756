"""Who is in the directory's groups at the end, out of everything that is told of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from lineage_analytics.simulation import names
from lineage_analytics.simulation.model import END

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from lineage_analytics.simulation.model import Person, World


class _Change(NamedTuple):
    time: datetime
    group: str
    person: Person
    joins: bool


def members(world: World) -> dict[str, list[Person]]:
    """By group id. From the start a department is in the group of its site, and whoever a review asked about.

    Then come those whom the audit log or an access package put in; reviews and ends of packages take out. Called when
    every chapter has begun.
    """
    governance = world.cast.get("governance")
    reviews = [r for r in governance.reviews if r.kind == "group"] if governance else []
    found: dict[str, dict[int, Person]] = {names.group_id(site): {
        p.number: p for p in world.persons if p.declared and p.left_on is None and p.department == site}
        for site in names.SITE_NAMES}
    for review in reviews:
        found[review.resource_id] |= {item.person.number: item.person for item in review.items}
    changes = [*_added(world)]
    changes += [_Change(item.applied, review.resource_id, item.person, joins=False)
                for review in reviews for item in review.items if item.carried_out and item.applied is not None]
    for request in governance.packages.requests if governance else ():
        if request.state == "delivered" and request.done is not None:
            changes.append(_Change(request.done, names.group_id(request.package.group), request.person,
                                   joins=request.sort != "systemRemove"))
    for change in sorted(changes, key=lambda c: (c.time, c.group, c.person.number)):
        if change.time > END:
            continue
        if change.joins:
            found[change.group][change.person.number] = change.person
        else:
            found[change.group].pop(change.person.number, None)
    return {group: [held[number] for number in sorted(held)] for group, held in found.items()}


def _added(world: World) -> Iterator[_Change]:
    by_id = {p.object_id: p for p in world.persons}
    for event in world.entra:
        if event.activity == "Add member to group":
            target = event.targets[0]
            group = next(m["newValue"].strip('"') for m in target["modifiedProperties"]
                         if m["displayName"] == "Group.ObjectID")
            yield _Change(event.time, group, by_id[target["id"]], joins=True)
