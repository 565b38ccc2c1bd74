"""Where mentions come from, one adapter a file."""
