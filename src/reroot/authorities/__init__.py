"""Known families of roots, as data with provenance."""
