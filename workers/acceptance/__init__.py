"""Trying a recorder out with discs of every kind, for a report that its owner can send on: what no model can tell."""
