"""A number of which each run of a sweep has its own."""

import operator
from collections.abc import Callable, Sequence
from functools import partialmethod
from typing import Any

import jax


@jax.tree_util.register_pytree_node_class
class Number:
    """Traced where it is computed with, known where it is compared.

    An experiment may so check its arguments and choose by them, as long as all runs choose alike: the program
    is the same for all.

    Args:
        name: of the argument.
        traced: the number of the run that the program is for.
        values: those of all runs.
    """

    def __init__(self, name: str, traced: jax.Array, values: Sequence[float]) -> None:
        self.name = name
        self.traced = traced
        self.values = values

    def tree_flatten(self) -> tuple[tuple[jax.Array], tuple[str, tuple[float, ...]]]:
        """One leaf, so that it may be passed to whatever is compiled."""
        return (self.traced,), (self.name, tuple(self.values))

    @classmethod
    def tree_unflatten(cls, known: tuple[str, Sequence[float]], leaves: tuple[jax.Array]) -> "Number":
        return cls(known[0], leaves[0], known[1])

    shape, ndim = (), 0

    @property
    def dtype(self) -> Any:
        return self.traced.dtype

    def __jax_array__(self) -> jax.Array:
        return self.traced

    def __bool__(self) -> bool:
        return self._decided(bool)

    def __float__(self, *_: Any, **__: Any) -> float:
        raise ValueError(
            f"The experiment needs the value of {self.name} itself, in which the runs of the sweep differ: "
            "they are not one program. Start them one by one."
        )

    __int__ = __index__ = __array__ = __float__

    __hash__ = object.__hash__

    def _decided(self, question: Callable[[float], bool]) -> bool:
        answers = {question(value) for value in self.values}
        if len(answers) > 1:
            raise ValueError(
                f"The experiment decides by the value of {self.name}, and not alike for "
                f"{', '.join(str(value) for value in self.values)}: these runs are not one program. Start "
                "them one by one."
            )
        return answers.pop()

    def _compared(self, operation: Callable[[Any, Any], Any], other: Any) -> Any:
        if isinstance(other, Number):
            return self._computed(operator.sub, other)._compared(operation, 0)
        if isinstance(other, int | float):
            return self._decided(lambda value: operation(value, other))
        return operation(self.traced, other)

    def _computed(self, operation: Callable[..., Any], other: Any = None) -> Any:
        """The operation on what is traced; still known where the other side is."""
        if other is None:
            return Number(self.name, operation(self.traced), [operation(value) for value in self.values])
        if isinstance(other, Number):
            pairs = zip(self.values, other.values, strict=True)
            name = f"{self.name} or {other.name}"
            return Number(name, operation(self.traced, other.traced), [operation(a, b) for a, b in pairs])
        traced = operation(self.traced, other)
        if isinstance(other, int | float):
            return Number(self.name, traced, [operation(value, other) for value in self.values])
        return traced


def _turned(operation: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    return lambda a, b: operation(b, a)


for _name in ("lt", "le", "gt", "ge", "eq", "ne"):
    setattr(Number, f"__{_name}__", partialmethod(Number._compared, getattr(operator, _name)))
for _name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow"):
    _operation = getattr(operator, _name)
    setattr(Number, f"__{_name}__", partialmethod(Number._computed, _operation))
    setattr(Number, f"__r{_name}__", partialmethod(Number._computed, _turned(_operation)))
for _name in ("neg", "pos", "abs"):
    setattr(Number, f"__{_name}__", partialmethod(Number._computed, getattr(operator, _name)))
