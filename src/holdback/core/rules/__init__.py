"""One file a subject: its actions, its pure rules and its RULES table."""
