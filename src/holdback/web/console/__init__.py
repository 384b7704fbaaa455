"""The staff console: the pages of those who judge, handle and approve, each by the roles that he holds."""
