"""Audits: saved queries run on one snapshot, each with a verdict; see docs/audits.md."""
