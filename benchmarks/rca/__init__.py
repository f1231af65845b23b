"""How often is the root cause right, on public incidents of which the truth is known?"""
