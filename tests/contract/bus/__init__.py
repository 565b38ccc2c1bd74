"""What every bus promises."""
