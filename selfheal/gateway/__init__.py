"""How is a daemon seen that nobody can reach? It pushes what it knows, and a small web service answers for it."""
