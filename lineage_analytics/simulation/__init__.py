"""A made-up organisation with known answers, written out as native provider logs."""
