"""What is a language model asked about an incident, and how far is it believed?

It reads what the engine has found and may order and explain that, no more. Pure: `scrub` takes out what nobody outside
may read, `pack` is what is sent, `reply` what may come back, `say` how far it moves the causes, `limits` when it may be
asked. `child` is a program by itself that holds a maker's SDK: the daemon never imports one.
"""
