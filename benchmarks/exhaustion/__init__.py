"""Is the time until something is used up foreseen, and is nothing foreseen that does not come?"""
