"""Who may do what: API keys, sign-in links and sessions. Secrets are shown once and kept only as hashes."""
