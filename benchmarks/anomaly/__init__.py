"""How well are anomalies of recorded series found, and what do others find in the same series?"""
