"""How fast the tap is: whole processes, measured in turns against a page server."""
