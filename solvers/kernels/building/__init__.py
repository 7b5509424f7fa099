"""Build the kernels: `compiling` calls the compiler, `backend` is what pip calls."""
