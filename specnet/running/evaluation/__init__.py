"""How good a trained model is: on each part of the split, beside baselines, and how far chance goes."""
