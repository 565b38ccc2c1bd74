"""The crisis room: pure code that says what becomes of playbook, statements, updates and hand-overs, and never does it itself."""
