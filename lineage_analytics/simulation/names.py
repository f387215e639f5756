"""Names of people, applications and documents: invented combinations, none of a real person or company."""

from __future__ import annotations

GIVEN = (
    "Amara", "Bao", "Chiara", "Dmitri", "Elif", "Farid", "Greta", "Hiro", "Ines", "Jamal", "Katya", "Leila", "Mateo",
    "Nadia", "Oskar", "Priya", "Quinn", "Rosa", "Sanjay", "Tove", "Umar", "Valentina", "Wanjiru", "Ximena", "Yusuf",
    "Zofia", "Anders", "Beatriz", "Cedric", "Divya", "Emeka", "Freya", "Goran", "Hana", "Ivo", "Jia", "Kofi", "Lucia",
    "Mihai", "Noor", "Olu", "Petra", "Rafael", "Sigrid", "Tariq", "Ulla", "Viktor", "Wei", "Yara", "Zane",
)
FAMILY = (
    "Abara", "Bergqvist", "Castellan", "Dvorak", "Eriksen", "Fontaine", "Gupta", "Hashimi", "Ivanova", "Jansen",
    "Kimura", "Lindholm", "Moreau", "Ndiaye", "Okafor", "Pereira", "Quiroga", "Rasmussen", "Sato", "Tanaka",
    "Ueda", "Varga", "Wojcik", "Xu", "Yilmaz", "Zielinski", "Achterberg", "Brandao", "Chaudhry", "Duarte", "Engel",
    "Farouk", "Gallo", "Hoang", "Ibarra", "Juarez", "Kowal", "Lazar", "Mbeki", "Nakata",
)
DEPARTMENTS = (
    ("Engineering", 30.0), ("Operations", 14.0), ("Sales", 18.0), ("Finance", 10.0), ("People", 6.0),
    ("Legal", 4.0), ("Support", 12.0), ("Security", 6.0),
)
APPS = (
    "billing", "orders", "catalogue", "ledger", "pricing", "search", "media", "identity", "payments", "shipping",
    "returns", "loyalty", "reports", "forecast", "crm", "notify", "images", "warehouse", "fraud", "tax", "chat",
    "feeds", "labels", "partners", "portal", "metrics", "backup", "archive", "audit", "inbox", "planner", "routes",
)
ROLES_OF_SOFTWARE = ("api", "worker", "sync", "loader", "export", "cron", "proxy", "stream", "index", "render")
SITE_NAMES = ("Finance", "People", "Legal", "Sales", "Engineering", "Operations", "Support", "Security", "Projects",
              "Board")
TOPICS = (
    "Budget", "Plan", "Review", "Contract", "Roadmap", "Minutes", "Forecast", "Payroll", "Offer", "Policy", "Report",
    "Handbook", "Audit", "Inventory", "Incident", "Onboarding", "Invoice", "Pricing", "Merger", "Design",
)
LABELS = {
    "Public": "0e1d2c3b-0001-4a10-a000-5f6e7d8c9b01",
    "General": "0e1d2c3b-0002-4a10-a000-5f6e7d8c9b02",
    "Confidential": "0e1d2c3b-0003-4a10-a000-5f6e7d8c9b03",
    "Highly Confidential": "0e1d2c3b-0004-4a10-a000-5f6e7d8c9b04",
}
PRIVILEGED_ROLES = frozenset({
    "Helpdesk Administrator", "User Administrator", "Security Reader", "Application Administrator",
    "Exchange Administrator", "Owner", "Contributor", "User Access Administrator",
})
"""Those of the directory roles below that the vendor's list of built-in roles marks as privileged; and of Azure."""

APPROVAL_NEEDED = frozenset({"User Administrator", "Application Administrator", "Exchange Administrator"})
"""Directory roles whose activation the role settings let somebody approve."""

DIRECTORY_ROLES = (
    ("Helpdesk Administrator", "729827e3-9c14-49f7-bb1b-9608f156bbb8"),
    ("User Administrator", "fe930be7-5e62-47db-91af-98c3a49a38b1"),
    ("Groups Administrator", "fdd7a751-b60b-444a-984c-02652fe8fa1c"),
    ("Security Reader", "5d6b6bb7-de71-4623-b4af-96380a352509"),
    ("Application Administrator", "9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3"),
    ("Exchange Administrator", "29232cdf-9323-42fd-ade2-1d097af3e4de"),
)


def group_id(site: str) -> str:
    """The directory group of a site's members."""
    return f"0e1d2c3b-00{len(site):02d}-4b10-a000-{ord(site[0]):012d}"
