from jssl.nn.weights.files import load_weights, save_weights

__all__ = ["load_weights", "save_weights"]
