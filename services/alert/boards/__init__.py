"""Boards: playbook steps as cards of other services, one way. One service a file."""
