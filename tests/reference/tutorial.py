"""A small network from scratch, as tutorials write it: 2 inputs, 5 relu units, 1 sigmoid, plain gradient descent.

The widely read original differentiates the hidden layer with the gradient of the second layer's weights where the chain
rule needs the weights themselves; here the gradient is right. There are no pictures, so that the time of the whole
process can be compared with that of `specnet run specs/moons.toml`: run `python tests/reference/tutorial.py`.
"""

import numpy as np
from sklearn.datasets import make_moons
from sklearn.model_selection import train_test_split

LEARNING_RATE = 0.003
STEPS = 20_000


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def initialize(inputs, hidden, outputs):
    generator = np.random.RandomState(0)
    return {
        "W1": generator.randn(hidden, inputs).T / np.sqrt(inputs),
        "b1": np.zeros((1, hidden)),
        "W2": generator.randn(outputs, hidden).T / np.sqrt(hidden),
        "b2": np.zeros((1, outputs)),
    }


def forward(parameters, X):
    Z1 = X @ parameters["W1"] + parameters["b1"]
    A1 = np.maximum(Z1, 0)
    Z2 = A1 @ parameters["W2"] + parameters["b2"]
    A2 = sigmoid(Z2)
    return Z1, A1, A2


def cost(A2, y):
    return -np.mean(y * np.log(A2) + (1 - y) * np.log(1 - A2))


def backward(parameters, X, y, Z1, A1, A2):
    rows = len(X)
    dZ2 = A2 - y
    dW2 = A1.T @ dZ2 / rows
    db2 = np.sum(dZ2, axis=0, keepdims=True) / rows
    dZ1 = (dZ2 @ parameters["W2"].T) * (Z1 > 0)
    dW1 = X.T @ dZ1 / rows
    db1 = np.sum(dZ1, axis=0, keepdims=True) / rows
    return {"W1": dW1, "b1": db1, "W2": dW2, "b2": db2}


def update(parameters, gradients):
    for name in parameters:
        parameters[name] = parameters[name] - LEARNING_RATE * gradients[name]


def accuracy(parameters, X, y):
    return np.mean((forward(parameters, X)[-1] > 0.5) == y)


def load():
    X, y = make_moons(300, noise=0.20, random_state=0)
    return train_test_split(X, y.reshape(-1, 1), test_size=0.2, random_state=0)


def main():
    X_train, X_test, y_train, y_test = load()
    parameters = initialize(inputs=2, hidden=5, outputs=1)
    for step in range(STEPS):
        Z1, A1, A2 = forward(parameters, X_train)
        if step % 1000 == 0:
            print(f"step {step}: cost {cost(A2, y_train):.5f}")
        update(parameters, backward(parameters, X_train, y_train, Z1, A1, A2))
    print(f"cost after training: {cost(forward(parameters, X_train)[-1], y_train):.8f}")
    print(f"train accuracy: {accuracy(parameters, X_train, y_train):.1%}")
    print(f"test accuracy: {accuracy(parameters, X_test, y_test):.1%}")


if __name__ == "__main__":
    main()
