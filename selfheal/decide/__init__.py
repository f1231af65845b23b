"""What shall be done? Pure decisions: the reflex, the choice of a fix, and what holds it back."""
