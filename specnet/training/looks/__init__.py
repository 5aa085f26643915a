"""What is seen of a network while it is trained: sizes of weights and steps, dead and saturated units, its parameters.

In: the trainer's vectors between two epochs. Out: a `TrainingRecord`, written as ``layers.jsonl`` and
``snapshots.safetensors``. Start at `layer_recorder.LayerRecorder`, an observer; it asks a `Snapshot`.
"""
