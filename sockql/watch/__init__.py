"""Rounds of a query: what changed from one to the next, as lines or on a screen."""
