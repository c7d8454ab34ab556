"""An encoder that writes down what it is given."""

from jssl import core
from tests.nn.compiled import apply


def spy(encoder, seen):
    def watched(variables, x, *, train, key=None):
        seen.append((variables.params, x, train))
        return apply(encoder, variables, x, train=train, key=key)

    return core.Encoder(encoder.init, watched)
