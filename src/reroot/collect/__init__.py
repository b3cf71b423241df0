"""What was found, seen and tried: one file per source of evidence."""
