"""Converts objects to records, and writes them."""
