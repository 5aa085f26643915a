"""Networks from Keras's files.

In comes an archive; out goes `Imported`. Start at `import_keras` in `keras_file`, which reads the network and its
weights without executing anything; `keras_layers` says class by class which layer here is one of Keras's.
"""
