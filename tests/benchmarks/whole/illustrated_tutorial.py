"""The tutorial's script with its pictures, which matplotlib draws and saves in a folder.

Tutorials of this network show about as many: the data, the network, what each hidden unit makes of the plane, the
output while units are merged, the decision surface and the curve of the loss. In the repository, with the peers extra
installed: `python -m tests.benchmarks.whole.illustrated_tutorial FOLDER`.
"""

import sys
from contextlib import contextmanager
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np

from tests.reference.tutorial import STEPS, accuracy, backward, cost, forward, initialize, load, sigmoid, update

FOLDER = Path(sys.argv[1])
matplotlib.use("Agg")


@contextmanager
def picture(name, title="", columns=1):
    """A figure that is saved under a name."""
    yield plt.subplots(1, columns, figsize=(6.4, 4.8) if columns == 1 else (20, 4))[1]
    if title:
        plt.title(title)
    plt.savefig(FOLDER / f"{name}.png")
    plt.close()


def plot_data(X_train, X_test, y_train, y_test):
    with picture("data", "Data"):
        for X, y, marker, label in ((X_train, y_train, "o", "train"), (X_test, y_test, "^", "test")):
            plt.scatter(X[:, 0], X[:, 1], c=y.ravel(), cmap="coolwarm", edgecolors="black", marker=marker, label=label)
        plt.legend()


def plot_network(parameters):
    layers = [np.linspace(-(n - 1) / 2, (n - 1) / 2, n) for n in (2, 5, 1)]
    with picture("network", "Network"):
        for k, weight in enumerate([parameters["W1"], parameters["W2"]]):
            for i, start in enumerate(layers[k]):
                for j, end in enumerate(layers[k + 1]):
                    color = "tab:blue" if weight[i, j] > 0 else "tab:red"
                    plt.plot([k, k + 1], [start, end], color=color, linewidth=2 * abs(weight[i, j]), zorder=1)
        for k, (units, color) in enumerate(zip(layers, ["lightgreen", "skyblue", "salmon"], strict=True)):
            plt.scatter(np.full(len(units), k), units, s=900, c=color, edgecolors="black", zorder=2)
        plt.axis("off")


def grid_over(X):
    x = np.arange(X[:, 0].min() - 0.5, X[:, 0].max() + 0.5, 0.02)
    y = np.arange(X[:, 1].min() - 0.5, X[:, 1].max() + 0.5, 0.02)
    xx, yy = np.meshgrid(x, y)
    return xx, yy, np.c_[xx.ravel(), yy.ravel()]


def plot_units(name, title, parameters, X, y, draw):
    """Five pictures of the plane beside each other, each drawn from the hidden layer."""
    xx, yy, points = grid_over(X)
    hidden = forward(parameters, points)
    with picture(name, columns=5) as axes:
        for k, ax in enumerate(axes):
            draw(ax, xx, yy, hidden, k)
            ax.scatter(X[:, 0], X[:, 1], c=y.ravel(), cmap="coolwarm", s=10)
            ax.set_title(title.format(k + 1))


def plot_neurons(parameters, X, y):
    def draw(ax, xx, yy, hidden, k):
        Z = hidden[0][:, k].reshape(xx.shape)
        ax.contourf(xx, yy, np.maximum(Z, 0), cmap="viridis")
        ax.contour(xx, yy, Z, levels=[0], colors="white")

    plot_units("neurons", "Neuron {}", parameters, X, y, draw)


def plot_merging(parameters, X, y):
    def draw(ax, xx, yy, hidden, k):
        Z = sigmoid(hidden[1][:, : k + 1] @ parameters["W2"][: k + 1] + parameters["b2"]).reshape(xx.shape)
        ax.contourf(xx, yy, Z, levels=np.linspace(0, 1, 11), cmap="coolwarm")

    plot_units("merging", "{} of 5 neurons", parameters, X, y, draw)


def plot_decision(parameters, X, y):
    xx, yy, points = grid_over(X)
    Z = forward(parameters, points)[-1].reshape(xx.shape)
    with picture("decision", "Decision surface"):
        plt.contourf(xx, yy, Z, levels=np.linspace(0, 1, 11), cmap="coolwarm")
        plt.colorbar()
        plt.contour(xx, yy, Z, levels=[0.5], colors="black")
        plt.scatter(X[:, 0], X[:, 1], c=y.ravel(), cmap="coolwarm", edgecolors="black")


def plot_costs(steps, costs):
    with picture("cost", "Cost"):
        plt.plot(steps, costs)
        plt.xlabel("step")
        plt.ylabel("cost")


def main():
    X_train, X_test, y_train, y_test = load()
    plot_data(X_train, X_test, y_train, y_test)
    parameters = initialize(inputs=2, hidden=5, outputs=1)
    steps, costs = [], []
    for step in range(STEPS):
        Z1, A1, A2 = forward(parameters, X_train)
        if step % 100 == 0:
            steps.append(step)
            costs.append(cost(A2, y_train))
        if step % 1000 == 0:
            print(f"step {step}: cost {costs[-1]:.5f}")
        update(parameters, backward(parameters, X_train, y_train, Z1, A1, A2))
    print(f"cost after training: {cost(forward(parameters, X_train)[-1], y_train):.8f}")
    print(f"train accuracy: {accuracy(parameters, X_train, y_train):.1%}")
    print(f"test accuracy: {accuracy(parameters, X_test, y_test):.1%}")
    plot_network(parameters)
    plot_neurons(parameters, X_train, y_train)
    plot_merging(parameters, X_train, y_train)
    plot_decision(parameters, X_train, y_train)
    plot_costs(steps, costs)


if __name__ == "__main__":
    main()
