"""Agents that fine-tune by themselves, FT-Agent among them, and the baselines it is held against.

Every agent gets a `Session` and nothing else: what it reads, trains and evaluates goes through the typed actions, is
paid from the same budgets, and stands in the same journal.
"""
