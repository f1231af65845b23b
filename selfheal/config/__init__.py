"""How does what a person wrote become what the daemon works with?

    units, address   the spelling of durations, sizes, commands, times, addresses
    models           every table of the file and its defaults
    lines            on which line a key stands
    origins          file, environment and options, strongest last, and where each value came from
    findings         what is wrong, all of it, in plain words
    agents           kinds, checks, instances and placeholders
    rules            what can only be judged with everything in view
    load             all of the above, in order: the way in
    environment      what an agent's process finds in its environment
    schema, show     the file described; the values in force

Nothing is imported here: a verb that only needs the models pays for nothing else.
"""
