"""Noticing a crisis: pure code that counts, compares with the brand's own normal, and says why.

Nothing in here reads a clock, a file or a database; `judge` is given an instant and what is known by then.
"""
