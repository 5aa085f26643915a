"""What a plan says: where values lie, what only outputs need, and how it reads."""

from __future__ import annotations

from specnet import compiler as c

x = c.input_value("x", (3, "batch"))
block, gradient = c.state_value("block", (4, 2)), c.state_value("gradient", (4, 2))
rate = c.input_value("rate", ())


def training() -> c.Plan:
    z = c.affine(block, c.maximum(x, 0.0))
    loss = c.sum_over(c.softplus(z), "all") / 3
    return c.plan([loss], [(gradient, c.gradients(loss, [block])[block])])


def test_listing() -> None:
    assert training().listing() == [
        "v3 = maximum(x, 0.0)   (3, batch)  buffer 6",
        "v4 = affine(block, v3)   (2, batch)  buffer 7",
        "v5 = softplus(v4)   (2, batch)  buffer 8  (outputs only)",
        "v6 = sum(v5, all)   ()  buffer 9  (outputs only)",
        "v8 = divide(v6, 3.0)   ()  buffer 9  (outputs only)",
        "v10 = sigmoid(v4)   (2, batch)  buffer 7",
        "v12 = multiply(v10, 0.3333333333333333)   (2, batch)  buffer 7",
        "v13 = affine_gradient(v3, v12)   (4, 2)  gradient",
    ]


def test_listing_of_views_pieces_and_copies() -> None:
    a, b = c.state_value("a", (2, 2)), c.state_value("b", (2, 2))
    joined = c.concatenate(c.exp(a), c.sin(b))
    plan = c.plan([c.rows(joined, 1, 3)], [(a, b), (b, a)])
    assert plan.listing() == [
        "v1 = exp(a)   (2, 2)  buffer 2  (outputs only)",
        "v3 = sin(b)   (2, 2)  buffer 2, from row 2  (outputs only)",
        "v4 = concatenate(v1, v3)   (4, 2)  buffer 2  (outputs only)",
        "v5 = rows(v4, (1, 3))   (2, 2)  buffer 2, from row 1  (outputs only)",
        "v6 = expand(b)   (2, 2)  buffer 3",
        "v7 = expand(a)   (2, 2)  b",
        "a <- v6",
    ]


def test_reuse_false_gives_every_value_a_storage_of_its_own() -> None:
    z = c.sin(c.exp(c.tanh(x)))
    assert len(c.plan([z]).storages) == 2
    assert len(c.plan([z], reuse=False).storages) == 4


def test_a_plan_knows_which_storage_wants_a_row_of_ones() -> None:
    plan = training()
    wanting = [storage for storage in plan.storages if storage.ones_row]
    assert [storage.shape for storage in wanting] == [(3, "batch")]
    part = c.plan([c.affine(block, c.rows(c.concatenate(c.exp(x), c.sin(x)), 1, 4))])
    assert not any(storage.ones_row for storage in part.storages)


def test_an_optimizers_step_lies_in_its_states() -> None:
    theta, m, g = (c.state_value(name, ("flat",)) for name in ("theta", "m", "g"))
    momentum = m * 0.9 + g
    plan = c.plan([], [(m, momentum), (theta, theta - momentum * rate)])
    assert not plan.copies
    assert [line.split("  ")[-1] for line in plan.listing()] == ["buffer 5", "m", "buffer 5", "theta"]


def test_a_state_is_written_last_where_its_old_value_is_still_read() -> None:
    theta, g = c.state_value("theta", ("flat",)), c.state_value("g", ("flat",))
    plan = c.plan([], [(theta, theta - g), (g, theta * g)])
    assert plan.listing() == [
        "v2 = subtract(theta, g)   (flat)  buffer 2",
        "v3 = multiply(theta, g)   (flat)  g",
        "theta <- v2",
    ]
