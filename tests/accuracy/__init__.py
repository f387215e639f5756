"""How right the decision lineage is: measured on made-up organisations whose answers are known (decision-lineage 16).

``python -m tests.accuracy.decisions`` prints every measure with its target and exits 1 where one is missed.
"""
