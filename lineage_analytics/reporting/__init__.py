"""Runs and what they leave: notebooks, page, charts, manifest, atomic publish."""
