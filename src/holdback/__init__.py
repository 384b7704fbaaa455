"""Customer account security: money is held back until the true owner has had time and a way to speak."""

__version__ = "0.1.0"
