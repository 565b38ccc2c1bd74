"""Bringing messages to people: one port, one channel a file, and the sender that tries until a message is through."""
