"""What the losses ask of their arguments; each failure says what came and what to do."""

from jaxtyping import Array, Float


def check_views(z_a: Array, z_b: Array) -> None:
    """Two views of the same batch: `[batch, dim]` each."""
    if z_a.ndim != 2 or z_a.shape != z_b.shape or 0 in z_a.shape:
        raise ValueError(
            f"expected two views of the same shape [batch, dim], got {z_a.shape} and {z_b.shape}: "
            "row i of both must be the embedding of example i"
        )


def check_temperature(temperature: float | Float[Array, ""]) -> None:
    """Above 0, if it is a number; a traced temperature cannot be looked at."""
    if isinstance(temperature, int | float) and not temperature > 0:
        raise ValueError(f"expected a temperature above 0, got {temperature}")


def check_tokens(prediction: Array, target: Array, mask: Array) -> None:
    """Predictions and targets `[batch, n, p]`, and which of the tokens count, `[batch, n]`."""
    if prediction.ndim != 3 or prediction.shape != target.shape or mask.shape != target.shape[:2]:
        raise ValueError(
            "expected prediction and target [batch, n, p] and mask [batch, n], got "
            f"{prediction.shape}, {target.shape} and {mask.shape}: predict every token, masked or not"
        )
