"""What was recorded elsewhere, or by somebody else, as selfheal's own data: read from files, never written."""
