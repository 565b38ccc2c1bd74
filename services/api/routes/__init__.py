"""One file of routes for each noun: mentions, brands, their timeline, incidents, signing in, the page."""
