"""The history of the database's tables, oldest first; each is a file in `versions/`."""

VERSION_TABLE = "yard_version"
REVISIONS = ("0001", "0002", "0003", "0004")
