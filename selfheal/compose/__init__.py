"""What joins the stages? Each module here is a part of `daemon.py` that needs several rooms at once."""
