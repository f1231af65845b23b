"""Is something wrong? Health with hysteresis, anomalies of signals, and what is one incident."""
