"""What the tutorial's mistake costs: `python -m tests.reference.wrong_gradient` trains with it and without it.

The mistake: the hidden layer's error is computed with the gradient of the second layer's weights, where the chain rule
needs the weights themselves. The loss still falls, to a worse place.
"""

from sklearn.datasets import make_moons
from sklearn.model_selection import train_test_split

from tests.reference import tutorial

STEPS = 19_000


def mistaken_backward(parameters, X, y, Z1, A1, A2):
    gradients = tutorial.backward(parameters, X, y, Z1, A1, A2)
    with_the_mistake = {**parameters, "W2": gradients["W2"]}
    return gradients | {name: tutorial.backward(with_the_mistake, X, y, Z1, A1, A2)[name] for name in ("W1", "b1")}


def losses(backward, data_seed, steps=STEPS, every=STEPS):
    """Yield the training loss of plain gradient descent on the reference network: first, each so many steps, last."""
    X, y = make_moons(300, noise=0.20, random_state=data_seed)
    X, _, y, _ = train_test_split(X, y.reshape(-1, 1), test_size=0.2, random_state=0)
    parameters = tutorial.initialize(2, 5, 1)
    for step in range(steps + 1):
        Z1, A1, A2 = tutorial.forward(parameters, X)
        if step % every == 0:
            yield tutorial.cost(A2, y)
        tutorial.update(parameters, backward(parameters, X, y, Z1, A1, A2))


def loss_after(backward, data_seed, steps=STEPS):
    """Return the training loss that plain gradient descent reaches on the reference network."""
    return list(losses(backward, data_seed, steps, every=steps))[-1]


def main():
    for seed in range(6):
        mistaken, right = (loss_after(backward, seed) for backward in (mistaken_backward, tutorial.backward))
        print(f"data seed {seed}: mistaken gradient {mistaken:.3f}, right gradient {right:.3f}")


if __name__ == "__main__":
    main()
