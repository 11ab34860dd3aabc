"""Rows as text: tables on a screen, JSON, CSV, markup."""
