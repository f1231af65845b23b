"""What becomes of damaged data?"""
