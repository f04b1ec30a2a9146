"""Bookmarks, and the Singer state that contains them."""
