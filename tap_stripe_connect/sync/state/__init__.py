"""What has been written: bookmarks, and their form in a Singer state."""
