"""Run the command line: generate, verify, inspect, convert, train, evaluate, solve, sweep, bench."""
