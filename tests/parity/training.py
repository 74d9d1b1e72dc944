"""What the reference models share: loss, Adam, finite differences. Plain NumPy, not written from the C sources.

A model's parameters are a list of its layers, each a dict of arrays; its `gradients(data, params)` gives (loss, outputs, gradients).
"""
import numpy as np


def loss_of(labels, train, logits):
    """Mean cross entropy over the rows `train`, and its gradient by the logits."""
    z = logits[train]
    z = z - z.max(axis=1, keepdims=True)
    log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
    rows, truth = np.arange(len(z)), labels[train]
    d = np.exp(log_p)
    d[rows, truth] -= 1
    d_logits = np.zeros_like(logits)
    d_logits[train] = d / len(z)
    return -log_p[rows, truth].mean(), d_logits


def adam(gradients, data, params, steps, learning_rate, weight_decay, beta1=0.9, beta2=0.999, epsilon=1e-8):
    """Kingma and Ba 2015. Adds weight_decay times the first layer's parameters to their gradient (L2, as in the code of Kipf and
    Welling's GCN). Returns the parameters afterwards and the loss before each step."""
    params = [{name: p.copy() for name, p in layer.items()} for layer in params]
    moments = [{name: np.zeros_like(p) for name, p in layer.items()} for layer in params]
    squares = [{name: np.zeros_like(p) for name, p in layer.items()} for layer in params]
    losses = []
    for step in range(1, steps + 1):
        loss, _, grads = gradients(data, params)
        losses.append(loss)
        for layer, arrays in enumerate(grads):
            for name, g in arrays.items():
                p, m, v = params[layer][name], moments[layer][name], squares[layer][name]
                if layer == 0:
                    g = g + weight_decay * p
                m += (1 - beta1) * (g - m)
                v += (1 - beta2) * (g * g - v)
                p -= learning_rate * (m / (1 - beta1**step)) / (np.sqrt(v / (1 - beta2**step)) + epsilon)
    return params, losses


def worst_gradient(gradients, data, params, h=1e-6):
    """The largest relative difference of a gradient from the central difference of the loss; `params` are restored."""
    grads = gradients(data, params)[2]
    worst = 0.0
    for layer, arrays in zip(params, grads):
        for name, g in arrays.items():
            p = layer[name]
            for i in np.ndindex(p.shape):
                kept = p[i]
                p[i] = kept + h
                above = gradients(data, params)[0]
                p[i] = kept - h
                below = gradients(data, params)[0]
                p[i] = kept
                worst = max(worst, abs((above - below) / (2 * h) - g[i]) / max(1e-2, abs(g[i])))
    return worst
