"""How the services that carry our messages prove that a call back is theirs; pure, one service a file."""
