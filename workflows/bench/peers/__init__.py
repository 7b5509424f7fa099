"""Other projects' solvers, as the benches call them; all optional."""
