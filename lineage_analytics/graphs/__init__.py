"""Builders of the two lineages: who can reach what (access), and how each change was decided (decisions)."""
