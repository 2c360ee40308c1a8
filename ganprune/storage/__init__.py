"""Files and folders that survive kills and that nobody else loses by."""
