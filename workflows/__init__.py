"""The command line: generate, verify, inspect, train, evaluate, solve, sweep, bench."""
