"""The tutorial's script with its pictures, which matplotlib draws and saves in a folder.

Tutorials of this network show about as many: the data, the network, what each hidden unit makes of the plane, the
output while units are merged, the decision surface and the curve of the loss. In the repository, with the peers extra
installed: `python -m tests.benchmarks.whole.illustrated_tutorial FOLDER`.
"""

import sys
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np

from tests.tutorial import STEPS, accuracy, backward, cost, forward, initialize, load, sigmoid, update

FOLDER = Path(sys.argv[1])
matplotlib.use("Agg")


def plot_data(X_train, X_test, y_train, y_test):
    plt.figure()
    plt.scatter(X_train[:, 0], X_train[:, 1], c=y_train.ravel(), cmap="coolwarm", edgecolors="black", label="train")
    plt.scatter(X_test[:, 0], X_test[:, 1], c=y_test.ravel(), cmap="coolwarm", marker="^", label="test")
    plt.title("Data")
    plt.legend()
    plt.savefig(FOLDER / "data.png")
    plt.close()


def plot_network(parameters):
    layers = [np.linspace(-(n - 1) / 2, (n - 1) / 2, n) for n in (2, 5, 1)]
    plt.figure()
    for k, weight in enumerate([parameters["W1"], parameters["W2"]]):
        for i, start in enumerate(layers[k]):
            for j, end in enumerate(layers[k + 1]):
                color = "tab:blue" if weight[i, j] > 0 else "tab:red"
                plt.plot([k, k + 1], [start, end], color=color, linewidth=2 * abs(weight[i, j]), zorder=1)
    for k, (units, color) in enumerate(zip(layers, ["lightgreen", "skyblue", "salmon"], strict=True)):
        plt.scatter(np.full(len(units), k), units, s=900, c=color, edgecolors="black", zorder=2)
    plt.title("Network")
    plt.axis("off")
    plt.savefig(FOLDER / "network.png")
    plt.close()


def grid_over(X):
    x = np.arange(X[:, 0].min() - 0.5, X[:, 0].max() + 0.5, 0.02)
    y = np.arange(X[:, 1].min() - 0.5, X[:, 1].max() + 0.5, 0.02)
    return np.meshgrid(x, y)


def plot_neurons(parameters, X, y):
    xx, yy = grid_over(X)
    Z1 = forward(parameters, np.c_[xx.ravel(), yy.ravel()])[0]
    _, axes = plt.subplots(1, 5, figsize=(20, 4))
    for k, ax in enumerate(axes):
        Z = Z1[:, k].reshape(xx.shape)
        ax.contourf(xx, yy, np.maximum(Z, 0), cmap="viridis")
        ax.contour(xx, yy, Z, levels=[0], colors="white")
        ax.scatter(X[:, 0], X[:, 1], c=y.ravel(), cmap="coolwarm", s=10)
        ax.set_title(f"Neuron {k + 1}")
    plt.savefig(FOLDER / "neurons.png")
    plt.close()


def plot_merging(parameters, X, y):
    xx, yy = grid_over(X)
    A1 = forward(parameters, np.c_[xx.ravel(), yy.ravel()])[1]
    _, axes = plt.subplots(1, 5, figsize=(20, 4))
    for k, ax in enumerate(axes, 1):
        Z = sigmoid(A1[:, :k] @ parameters["W2"][:k] + parameters["b2"]).reshape(xx.shape)
        ax.contourf(xx, yy, Z, levels=np.linspace(0, 1, 11), cmap="coolwarm")
        ax.scatter(X[:, 0], X[:, 1], c=y.ravel(), cmap="coolwarm", s=10)
        ax.set_title(f"{k} of 5 neurons")
    plt.savefig(FOLDER / "merging.png")
    plt.close()


def plot_decision(parameters, X, y):
    xx, yy = grid_over(X)
    Z = forward(parameters, np.c_[xx.ravel(), yy.ravel()])[-1].reshape(xx.shape)
    plt.figure()
    plt.contourf(xx, yy, Z, levels=np.linspace(0, 1, 11), cmap="coolwarm")
    plt.colorbar()
    plt.contour(xx, yy, Z, levels=[0.5], colors="black")
    plt.scatter(X[:, 0], X[:, 1], c=y.ravel(), cmap="coolwarm", edgecolors="black")
    plt.title("Decision surface")
    plt.savefig(FOLDER / "decision.png")
    plt.close()


def plot_costs(steps, costs):
    plt.figure()
    plt.plot(steps, costs)
    plt.xlabel("step")
    plt.ylabel("cost")
    plt.title("Cost")
    plt.savefig(FOLDER / "cost.png")
    plt.close()


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
