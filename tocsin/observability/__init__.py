"""How the house shows itself: metrics, logs and health."""
