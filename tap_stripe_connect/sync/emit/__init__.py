"""Turns objects into records, and writes them."""
