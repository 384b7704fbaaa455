"""One file a way to reach someone. Each returns only when the next system has accepted the message."""
