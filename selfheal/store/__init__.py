"""What is on the disk, and how does it survive everything that can happen to a disk?"""
