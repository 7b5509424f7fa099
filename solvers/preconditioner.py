"""Define the contract of a preconditioner: an approximation of A⁻¹ that any Krylov method can apply."""

from __future__ import annotations

import inspect
import time
from abc import abstractmethod
from typing import Any, ClassVar, Literal, TypeVar, get_args

import numpy as np
from scipy.sparse.linalg import LinearOperator

from .arguments import one_of
from .containers import check_sparse, refuse_masked
from .errors import InputError
from .magnitudes import array_times_two_to, exponent_of_entries, exponent_of_vector, is_safe, sum_of_squares

Kind = Literal["spd", "linear", "nonlinear"]
"""Whether a preconditioner is Hermitian positive definite, linear, or neither."""

P = TypeVar("P", bound="Preconditioner")


class Preconditioner(LinearOperator):
    """Approximate A⁻¹ by an operator M of shape (n, n), usable as ``M=`` here, in SciPy and in pyamg.

    A subclass writes `__init__` with its keyword settings, if it has any, `_build(A, again)`, which sets `kind`, and
    `_apply(r)`::

        class Halving(Preconditioner):
            def _build(self, A, again):
                self.kind = "spd"

            def _apply(self, r):
                return 0.5 * r

        result = cg(A, b, M=Halving.setup(A))

    It inherits `setup`, `update`, the timing, the checks of settings, and the handling of shapes and of complex
    vectors.

    Attributes
    ----------
    name : str
        Its name in `PRECONDITIONERS`; that of the class by default.
    kind : {'spd', 'linear', 'nonlinear'}
        Whether M, for this A, is Hermitian positive definite, linear, or neither.
    setup_seconds : float
        Time of the last `setup` or `update`.
    """

    name: ClassVar[str]
    kind: Kind
    setup_seconds: float = 0.0
    _exponent: int = 0  # what was built is (A·2^-exponent)⁻¹

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if not hasattr(cls, "name"):
            cls.name = cls.__name__

    def __init__(self) -> None:  # LinearOperator's follows in `setup`, where the shape is known
        pass

    @classmethod
    def setup(cls: type[P], A: Any, **settings: Any) -> P:
        """Build the preconditioner of A.

        Parameters
        ----------
        A : sparse or dense matrix, or an operator with what the method needs (`tocsr()`, `diagonal()`)
        **settings
            Settings of the method; see the class.

        Raises
        ------
        InputError
            If A or a setting does not fit the method.
        """
        began = time.perf_counter()
        # The signature is read only when there is something to check: a small factorisation takes no longer.
        known = [name for name in inspect.signature(cls.__init__).parameters if name != "self"] if settings else []
        for name in settings:
            one_of(name, known, f"setting of preconditioner {cls.name}")
        instance = cls(**settings)
        A = _entries_of_lists(A)
        instance._take(A)
        instance._build_scaled(A, again=False)
        if getattr(instance, "kind", None) not in get_args(Kind):
            raise InputError(
                f"{cls.__name__}._build left kind at {getattr(instance, 'kind', None)!r}; expected it to set self.kind "
                f"to one of {', '.join(get_args(Kind))}."
            )
        instance.setup_seconds = time.perf_counter() - began
        return instance

    def update(self: P, A: Any) -> P:
        """Rebuild for a matrix of the same pattern, reusing what does not depend on its values; return self."""
        began = time.perf_counter()
        A = _entries_of_lists(A)
        if tuple(getattr(A, "shape", ())) != tuple(self.shape):
            raise InputError(
                f"update of {self.name} got A of shape {getattr(A, 'shape', None)}; expected {tuple(self.shape)} "
                f"as in setup: call setup for a matrix of another size."
            )
        self._take(A)
        self._build_scaled(A, again=True)
        self.setup_seconds = time.perf_counter() - began
        return self

    @abstractmethod
    def _build(self, A: Any, again: bool) -> None:
        """Compute what `_apply` needs and set `kind`; `again` when called by `update`."""

    @abstractmethod
    def _apply(self, r: Any) -> Any:
        """Return M r for r of shape (n,), contiguous, of the dtype of A or, if A is complex, complex."""

    def _build_scaled(self, A: Any, again: bool) -> None:
        """Build for A divided by a power of two, if its entries are too large or too small for products of them."""
        with np.errstate(all="ignore"):
            A, self._exponent = _scaled(A)
            try:
                self._build(A, again)
            except InputError:
                raise
            except (ArithmeticError, RuntimeError, ValueError) as error:  # of LAPACK, pyamg, SuperLU
                reason = str(error).strip().partition("\n")[0].rstrip(".") or type(error).__name__
                raise InputError(
                    f"{self.name} cannot be set up for this matrix ({reason}): use another preconditioner, or none."
                ) from error

    def _take(self, A: Any) -> None:
        refuse_masked(A, "A")
        check_sparse(A, "A")
        shape = getattr(A, "shape", None)
        if shape is None:
            raise InputError(f"{self.name} got a {type(A).__name__} for A; expected a matrix or a LinearOperator.")
        if len(shape) != 2 or shape[0] != shape[1] or shape[0] == 0:
            raise InputError(f"{self.name} got A of shape {tuple(shape)}; expected a square matrix (n, n), n ≥ 1.")
        dtype = np.dtype(getattr(A, "dtype", None) or np.float64)
        LinearOperator.__init__(
            self, np.dtype(np.complex128 if dtype.kind == "c" else np.float64), tuple(map(int, shape))
        )

    def __repr__(self) -> str:
        """Show the class, the size, the kind, the settings that matter and the set-up time, in one line."""
        name = type(self).__name__
        if not hasattr(self, "kind"):
            return f"{name}(not set up)"
        facts = {"n": self.shape[0], "kind": repr(self.kind), **self._describe()}
        shown = ", ".join(f"{key}={value}" for key, value in facts.items())
        return f"{name}({shown}), set up in {self.setup_seconds:.3g} s"

    def _describe(self) -> dict[str, Any]:
        """Return what `repr` shows of the settings: by default the attributes of the same names that are not None."""
        names = set(inspect.signature(type(self).__init__).parameters) - {"self", "shape", "dtype"}
        return {name: value for name, value in vars(self).items() if name in names and value is not None}

    def _matvec(self, r: Any) -> Any:
        if self._exponent == 0:
            return self._apply_to_any(r)
        # What is applied is a vector near one, so that nothing overflows on the way.
        xp = _namespace(r)
        own = exponent_of_vector(xp, r)
        z = self._apply_to_any(array_times_two_to(xp, r, -own))
        return array_times_two_to(xp, z, own - self._exponent)

    def _apply_to_any(self, r: Any) -> Any:
        r = r.reshape(-1)
        if r.dtype.kind == "c" and self.dtype.kind != "c":
            # A real linear map acts on real and imaginary parts alike.
            return self._apply(r.real.copy()) + 1j * self._apply(r.imag.copy())
        r = r.astype(self.dtype, copy=False)
        return self._apply(np.ascontiguousarray(r) if isinstance(r, np.ndarray) else r)

    def matmat(self, X: Any) -> Any:
        """Return M X for X (n, k)."""
        if self._exponent == 0:
            return super().matmat(X)
        return _namespace(X).stack([self._matvec(X[:, j]) for j in range(X.shape[1])], axis=1)

    def _matmat(self, R: Any) -> Any:
        if isinstance(R, np.ndarray):
            return np.stack([self._apply_to_any(np.ascontiguousarray(column)) for column in R.T], axis=1)
        return _namespace(R).stack([self._apply_to_any(R[:, j].copy()) for j in range(R.shape[1])], axis=1)

    def _adjoint(self) -> Any:
        return self if self.kind == "spd" else super()._adjoint()


def _scaled(A: Any) -> tuple[Any, int]:
    """Return A·2^-m of a safe norm, and m; A itself and 0 where its norm is safe, or it has no entries at hand."""
    sparse = getattr(A, "format", None) in ("csr", "csc", "bsr", "dia", "coo")
    entries = A.data if sparse else A if isinstance(A, np.ndarray) else None
    if entries is None or entries.dtype not in (np.float64, np.complex128) or entries.size == 0:
        return A, 0
    xp = _namespace(entries)
    square = sum_of_squares(xp, entries)
    if is_safe(square) or not bool(xp.isfinite(entries).all()):
        return A, 0
    exponent = exponent_of_entries(xp, entries)
    small = array_times_two_to(xp, entries, -exponent)
    if sparse and exponent:
        A = A.copy()
        A.data = small
        return A, exponent
    return small, exponent


def _namespace(array: Any) -> Any:
    from array_api_compat import array_namespace

    return np if isinstance(array, np.ndarray) else array_namespace(array)


def _entries_of_lists(A: Any) -> Any:
    return np.asarray(A) if isinstance(A, list | tuple | np.matrix) else A
