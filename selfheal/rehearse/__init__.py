"""How would it go? The whole daemon over a simulated machine, in virtual time, the same for the same seed."""
