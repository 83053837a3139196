"""Port ``files``: the file system, within the bounds that a role sets."""
