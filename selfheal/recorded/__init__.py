"""What was recorded elsewhere, or by somebody else: read from files, and learned from.

No daemon is asked, and nothing of a daemon's own is written.
"""
