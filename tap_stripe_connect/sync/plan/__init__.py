"""Planning: turns bookmarks into jobs, and results into bookmarks. Does no input or output."""
