"""The Security Center: a customer's own pages."""
