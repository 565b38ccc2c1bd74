"""`tocsin demo`: the whole house in one process, on a scaled clock, with a story of its own."""
