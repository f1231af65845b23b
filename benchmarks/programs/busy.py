"""What trains beside a daemon: computes until whoever started it is gone."""

import os

parent = os.getppid()
while os.getppid() == parent:
    sum(number * number for number in range(100_000))
