"""Who is on call: exchanged shifts, calendar feeds, the monthly statement."""
