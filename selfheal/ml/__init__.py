"""Is an agent as it usually is, all of its signals taken together?"""
