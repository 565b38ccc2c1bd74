"""Ingest: whatever a source says becomes mentions on the bus: read, normalised, matched with brands, published."""
