"""Deciding what to read, reading it side by side, writing it in order."""
