"""Run whole stages of a time step compiled: transforms, products and updates on cache lines."""
