"""What does the world look like from outside?

    fleet        the summary, agents, signals, loops
    incidents    incidents, their diagnoses, attempts and traces, and what was learned
    foresight    predictions, anomalies
    maintenance  work before a failure, and what it was worth
    stream       events, as the live stream tells them

Pure: a world in, an answer out. `now` is wall time.
"""
