"""A sync: plans what to read, fetches it in parallel, and writes records and STATE."""
