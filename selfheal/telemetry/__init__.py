"""What does selfheal tell about itself, and to whom?"""
