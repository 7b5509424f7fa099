"""Read the operands of a solve: they are checked, converted once to double precision, and count their applications.

NumPy and CuPy arrays go through the same code (array_api_compat); a matrix and its vectors live on one device.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import array_api_compat
import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import LinearOperator

from .containers import advice_for, check_sparse, refuse_masked
from .errors import InputError
from .foreign_functions import ForeignFunction
from .magnitudes import array_times_two_to, exponent_of_entries, is_safe, norm_of, sum_of_squares
from .preconditioner import Preconditioner


class CountedOperator:
    """Apply a linear map to vectors of length n, count the applications, and check what each one returns.

    Attributes
    ----------
    m, n : int
        Its shape is (m, n).
    matrix : array or sparse matrix, or None
        The entries, if they are known.
    count : int
        Applications so far, those of the adjoint included.
    exponent : int
        The map is the operand's times 2^-exponent (see `read_operator`).
    size : float
        The Frobenius norm of the entries, if they are known.
    """

    __slots__ = (
        "_adjoint",
        "_function",
        "_image",
        "count",
        "dtype",
        "exponent",
        "m",
        "matrix",
        "n",
        "name",
        "size",
        "xp",
    )

    def __init__(
        self,
        function: Callable[[Any], Any],
        n: int,
        dtype: Any,
        xp: Any,
        name: str,
        matrix: Any,
        m: int | None = None,
        adjoint: Callable[[Any], Any] | None = None,
    ) -> None:
        self._function = function
        self._adjoint = adjoint
        self.m = n if m is None else m
        self._image = (self.m,)
        self.n = n
        self.dtype = dtype
        self.xp = xp
        self.name = name
        self.matrix = matrix
        self.count = 0
        self.exponent = 0
        self.size = 0.0

    def __call__(self, x: Any) -> Any:
        """Apply the map to a vector of shape (n,)."""
        y = self._function(x)
        self.count += 1
        if y.__class__ is x.__class__ and y.dtype is x.dtype and y.shape == self._image:
            return y
        return self._accepted(y, x, self.name, self._image, "matvec")

    def _accepted(self, y: Any, x: Any, name: str, image: tuple[int, ...], function: str) -> Any:
        """Return a result of another type than the vector's in double precision; InputError if it does not fit."""
        if getattr(y, "shape", None) != image:
            raise InputError(
                f"{name} returned {_described(y)} for a vector of shape {tuple(x.shape)}; "
                f"expected an array of shape {image}: mend its {function}."
            )
        refuse_masked(y, f"what {name} returned")
        kind = np.dtype(y.dtype).kind
        if kind not in "iufc" or is_gpu(y) != is_gpu(x):
            raise InputError(
                f"{name} returned an array of dtype {y.dtype} ({type(y).__name__}) for a vector of dtype "
                f"{x.dtype} ({type(x).__name__}); expected numbers in an array of the same type: mend its {function}."
            )
        if kind == "c" and x.dtype.kind != "c":
            if self.dtype.kind != "c":
                raise InputError(
                    f"{name} returned complex numbers for a real vector, but its dtype is {self.dtype}; expected "
                    f"real ones: give it dtype=complex (scipy.sparse.linalg.LinearOperator has this argument)."
                )
            return y.astype(np.complex128, copy=False)
        return array_api_compat.array_namespace(x).asarray(y, dtype=x.dtype)

    def times_two_to(self, exponent: int, xp: Any) -> CountedOperator:
        """Return the map times 2^exponent, half of which is applied before and half after, so that neither overflows.

        Its count begins at zero.
        """
        before = exponent // 2

        def scaled(r: Any) -> Any:
            return array_times_two_to(xp, self(array_times_two_to(xp, r, before)), exponent - before)

        return CountedOperator(scaled, self.n, self.dtype, xp, self.name, None)

    def adjoint(self, y: Any) -> Any:
        """Apply the adjoint map to a vector of shape (m,); InputError if it is not known."""
        if self._adjoint is None and self.matrix is not None:
            conjugate = self.matrix.conj() if self.dtype.kind == "c" else self.matrix
            self._adjoint = conjugate.T.__matmul__
        try:
            x = None if self._adjoint is None else self._adjoint(y)
        except NotImplementedError:  # what SciPy's LinearOperator raises where it was given none
            x = None
        if x is None:
            raise InputError(
                f"{self.name} has no adjoint, and this solver needs the products {self.name}ᴴ u: "
                f"give the LinearOperator an rmatvec, or pass the matrix."
            )
        self.count += 1
        if x.__class__ is y.__class__ and x.dtype is y.dtype and x.shape == (self.n,):
            return x
        return self._accepted(x, y, f"the adjoint of {self.name}", (self.n,), "rmatvec")

    def rows(self, X: Any) -> Any:
        """Apply the map to each row of X (k, n)."""
        if self.matrix is not None and X.shape[0] > 1:
            self.count += X.shape[0]
            return self.xp.ascontiguousarray((self.matrix @ X.T).T)
        return self.xp.stack([self(row) for row in X])


def on_host(array: Any) -> np.ndarray:
    """Return a NumPy array, copied from the GPU if it is a CuPy array."""
    return array if isinstance(array, np.ndarray) else np.asarray(array.get())


def is_gpu(array: Any) -> bool:
    """Return whether an array or sparse matrix is CuPy's."""
    return type(array).__module__.partition(".")[0] in ("cupy", "cupyx")


def read_vectors(b: Any, n: int, name: str) -> Any:
    """Return b as a finite float64 or complex128 array of shape (n,) or (n, k), on its device.

    Raises
    ------
    InputError
        If the shape, the dtype or a value does not fit.
    """
    refuse_masked(b, name)
    if sp.issparse(b):
        raise InputError(f"{name} is a sparse matrix; expected a dense array: pass {name}.toarray().")
    if not array_api_compat.is_cupy_array(b):
        if array_api_compat.is_array_api_obj(b) and not array_api_compat.is_numpy_array(b):
            raise InputError(
                f"{name} is a {type(b).__module__}.{type(b).__name__}; expected a NumPy or CuPy array: "
                f"convert it, e.g. with numpy.asarray."
            )
        b = _from_nested(b, name)
    xp = array_api_compat.array_namespace(b)
    if b.ndim not in (1, 2) or b.shape[0] != n:
        transposed = f": pass {name}.T" if b.ndim == 2 and b.shape[1] == n else ": its first axis must match A"
        raise InputError(f"{name} has shape {tuple(b.shape)}; expected ({n},) or ({n}, k){transposed}.")
    if b.ndim == 2 and b.shape[1] == 0:
        raise InputError(f"{name} has shape {tuple(b.shape)}, no columns; expected ({n},) or ({n}, k) with k ≥ 1.")
    b = b.astype(_double(b.dtype, name), copy=False)
    _check_finite(xp, b, f"{name} holds", "values")
    return b


def read_operator(A: Any, name: str = "A", square: bool = True, scaled: bool = False) -> CountedOperator:
    """Return A as a counted operator in double precision.

    Parameters
    ----------
    A : sparse or dense matrix, LinearOperator, or an object with `shape` and `matvec`; or CuPy's
        Entries are checked for NaN and infinity; single precision and integers are converted.
    name : str
        What the messages call it.
    square : bool
        Whether another shape than (n, n) is refused.
    scaled : bool
        Divide entries by 2^exponent where their norm is too large or too small for products of norms.

    Raises
    ------
    InputError
        If it is not a matrix, not square, empty, not numeric, or not finite.
    """
    refuse_masked(A, name)
    if isinstance(A, list | tuple) or (isinstance(A, np.ndarray) and type(A) is not np.ndarray):
        A = _from_nested(A, name)
    shape = getattr(A, "shape", None)
    if shape is None or isinstance(A, type) or not (_has_entries(A) or hasattr(A, "matvec")):
        fix = advice_for(A, name)
        raise InputError(
            f"{name} is a {type(A).__name__}; expected a sparse or dense matrix, or a LinearOperator{fix}."
        )
    if len(shape) != 2 or (square and shape[0] != shape[1]):
        least_squares = ": lsmr solves least squares of any shape (m, n)" if name == "A" and len(shape) == 2 else ""
        expected = f"a square matrix (n, n){least_squares}" if square else "a matrix (m, n): a vector is no matrix"
        raise InputError(f"{name} has shape {tuple(shape)}; expected {expected}.")
    m, n = map(int, shape)
    if m == 0 or n == 0:
        raise InputError(f"{name} is empty, of shape ({m}, {n}); expected a matrix of at least one row and one column.")
    xp = _namespace(A)
    dtype = _double(getattr(A, "dtype", None) or np.float64, name)
    if not _has_entries(A):
        return CountedOperator(_product_of(A), n, dtype, xp, name, None, m, _adjoint_product_of(A))
    check_sparse(A, name)
    if sp.issparse(A) and A.format not in ("csr", "csc", "bsr", "dia"):
        A = A.tocsr()
    if A.dtype != dtype:
        A = A.astype(dtype)
    entries = A.data if _is_sparse(A) else A
    exponent = 0
    total = sum_of_squares(xp, entries)
    if not is_safe(total):  # a sum within bounds has finite terms
        _check_finite(xp, entries, f"{name} holds", "entries")
        exponent = exponent_of_entries(xp, entries) if scaled and entries.size else 0
    if exponent:
        small = array_times_two_to(xp, entries, -exponent)
        A = _with_entries(A, small) if _is_sparse(A) else small
    operator = CountedOperator(A.__matmul__, n, dtype, xp, name, A, m)
    operator.exponent = exponent
    operator.size = math.sqrt(total) if is_safe(total) else norm_of(xp, A.data if _is_sparse(A) else A)
    return operator


def read_preconditioner(M: Any, n: int) -> CountedOperator:
    """Return M, an approximation of A⁻¹, as a counted operator.

    It takes what `read_operator` takes, and a plain callable r ↦ z.
    """
    if isinstance(M, str):
        raise InputError(f"M is the string {M!r}; expected a preconditioner: pass get_preconditioner({M!r}).setup(A).")
    if isinstance(M, type):
        raise InputError(f"M is the class {M.__name__}; expected an instance: pass {M.__name__}.setup(A).")
    if hasattr(M, "aspreconditioner"):
        raise InputError(f"M is a {type(M).__name__}; expected a LinearOperator: pass M.aspreconditioner().")
    if not hasattr(M, "shape") and callable(M):
        return CountedOperator(ForeignFunction(M), n, np.dtype(np.float64), None, "M", None)
    operator = read_operator(M, "M")
    if operator.n != n:
        raise InputError(f"M has shape ({operator.n}, {operator.n}) but A has shape ({n}, {n}); set M up for this A.")
    return operator


def as_csr(A: Any, solver: str) -> sp.csr_array:
    """Return the entries of A as a CSR array of doubles with sorted indices and no duplicates; A is left as it is.

    Parameters
    ----------
    A : sparse or dense matrix, or an operator with `tocsr()`
    solver : str
        The solver that needs them, for the errors.

    Raises
    ------
    InputError
        If A has no entries, is on the GPU, or is not square and finite.
    """
    if is_gpu(A):
        raise InputError(f"{solver} runs on the CPU, but A is a CuPy matrix: pass A.get().")
    refuse_masked(A, "A")
    if hasattr(A, "tocsr"):
        if getattr(A, "format", "") != "csr":  # which is checked below
            check_sparse(A, "A")
        values = A.tocsr()
    elif isinstance(A, np.ndarray | list | tuple):
        values = A
    elif hasattr(A, "matvec"):
        raise InputError(
            f"{solver} needs the entries of A, but A is a {type(A).__name__}, which only multiplies: "
            f"pass a sparse matrix, or use cg or gmres."
        )
    else:
        raise InputError(f"{solver} got a {type(A).__name__} for A; expected a sparse or dense matrix.")
    matrix = sp.csr_array(read_operator(values).matrix)
    if not matrix.has_canonical_format:
        matrix = matrix.copy()  # its index arrays may be those of A
        matrix.sum_duplicates()
    return matrix


def diagonal_of(A: Any, solver: str) -> Any:
    """Return the diagonal (n,) of a matrix, or of an operator with `diagonal()`."""
    refuse_masked(A, "A")
    if isinstance(A, list | tuple | np.matrix):
        A = _from_nested(A, "A")
    if hasattr(A, "diagonal"):
        check_sparse(A, "A")
        return A.diagonal()
    raise InputError(
        f"{solver} needs the diagonal of A, but A is a {type(A).__name__} without diagonal(): pass a matrix."
    )


def _double(dtype: Any, name: str) -> np.dtype:
    """Return float64 or complex128 for a numeric dtype: computation and certificates are in double precision."""
    dtype = np.dtype(dtype)
    if dtype.kind in "iu" or (dtype.kind == "f" and dtype.itemsize <= 8):
        return np.dtype(np.float64)
    if dtype.kind == "c" and dtype.itemsize <= 16:
        return np.dtype(np.complex128)
    fix = "convert it with .astype(float)" if dtype.kind in "bOSU" else "convert it to float64 or complex128"
    raise InputError(f"{name} has dtype {dtype}; expected real or complex numbers up to double precision: {fix}.")


def _from_nested(values: Any, name: str) -> np.ndarray:
    try:
        return np.asarray(values)
    except (TypeError, ValueError) as error:
        raise InputError(f"{name} is not an array ({error}); expected numbers in rows of equal length.") from error


def _check_finite(xp: Any, values: Any, subject: str, noun: str) -> None:
    finite = xp.isfinite(values)
    if not bool(finite.all()):
        bad = int(values.size - finite.sum())
        raise InputError(f"{subject} {bad} {noun} that are NaN or infinite; expected finite numbers: clean it first.")


def _with_entries(A: Any, entries: Any) -> Any:
    """Return a sparse matrix of the pattern of A with other entries."""
    copy = A.copy()
    copy.data = entries
    return copy


def _product_of(A: Any) -> Callable[[Any], Any]:
    """Return x ↦ A x of an operator, without SciPy's checks: ours say whose result does not fit."""
    if isinstance(A, Preconditioner):
        return A._matvec  # takes vectors of both devices; SciPy's `matvec` converts them to NumPy's
    if type(A).__module__.partition(".")[0] == __name__.partition(".")[0]:
        return A.matvec
    if not isinstance(A, LinearOperator) or type(A).matvec is not LinearOperator.matvec:
        return ForeignFunction(A.matvec)
    return ForeignFunction(lambda x: _flat(A._matvec(x)))


def _adjoint_product_of(A: Any) -> Callable[[Any], Any] | None:
    """Return y ↦ Aᴴ y of an operator, None if it has none."""
    if isinstance(A, LinearOperator) and type(A).rmatvec is LinearOperator.rmatvec:
        return ForeignFunction(lambda y: _flat(A._rmatvec(y)))
    return ForeignFunction(A.rmatvec) if hasattr(A, "rmatvec") else None


def _flat(y: Any) -> Any:
    """Return a list or a column, which SciPy takes for a vector, as an array (n,); anything else as it is."""
    if not isinstance(y, np.ndarray | list | tuple) or np.ma.isMaskedArray(y):
        return y
    y = np.asarray(y)
    return y.reshape(-1) if y.ndim == 2 and 1 in y.shape else y


def _is_sparse(A: Any) -> bool:
    return sp.issparse(A) or type(A).__module__.startswith("cupyx.scipy.sparse")


def _has_entries(A: Any) -> bool:
    return isinstance(A, np.ndarray) or array_api_compat.is_cupy_array(A) or (_is_sparse(A) and hasattr(A, "format"))


def _namespace(A: Any) -> Any:
    if is_gpu(A):
        import cupy

        return array_api_compat.array_namespace(cupy.empty(0))
    return array_api_compat.array_namespace(np.empty(0))


def _described(y: Any) -> str:
    shape = getattr(y, "shape", None)
    return f"a {type(y).__name__}" if shape is None else f"an array of shape {tuple(shape)}"
