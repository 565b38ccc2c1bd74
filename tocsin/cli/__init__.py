"""The command line: the one place of `tocsin` that knows the services, each imported inside the command that needs it."""
