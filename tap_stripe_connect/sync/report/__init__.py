"""Reporting: progress, failures and the summary of a run."""
