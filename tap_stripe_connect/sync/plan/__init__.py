"""What a run reads: windows, changed objects and checks, from bookmarks. No input or output."""
