"""The one history of the database's tables."""
