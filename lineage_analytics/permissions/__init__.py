"""Effective permissions per provider: grants in, what each principal may do out, with reasons."""
