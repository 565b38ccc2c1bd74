"""The crisis protocol: pure code that says what becomes of an incident and who is called, and never does it itself."""
