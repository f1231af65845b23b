"""What others have recorded, read from files."""
