"""What does checking cost, beside others?"""
