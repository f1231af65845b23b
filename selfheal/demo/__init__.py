"""What does a newcomer see within a minute?

A fleet of small real programs, most of which fail in a way of their own.
"""
