"""What will fail, when, and what is done before?"""
