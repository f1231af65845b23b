"""How do processes start, stay up and end? The supervisor, and what it needs of the operating system."""
