"""Write, open and check the dataset format: folder, files, digests, compression (FORMAT.md is the specification)."""

import lazy_loader

# The exports stand in __init__.pyi, which editors and type checkers read too; nothing is imported before it is used.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
