"""Only `sitecustomize` lies here: the folder goes on the module path of another tap's Python."""
