"""Authorization: the commands `connect`, `status` and `disconnect`, and the pages they serve.

Imported by the command line only; a sync does not pay for it.
"""
