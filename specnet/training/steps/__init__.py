"""Steps of training: gradients, limits, updates, by both engines and by L-BFGS."""
