"""What does each answer look like?

The shapes of the API, which are also its documentation, module by module as in `views`. Times are RFC 3339 in UTC,
durations seconds, sizes bytes; None means that there is none or that it is not known, never zero.
"""
