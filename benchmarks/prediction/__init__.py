"""How well are failures foreseen, on data of others and on simulated fleets?"""
