"""The programs of the demo: each stands alone, uses the standard library only, and is started as a file."""
