"""Models as functions of whole arrays, for libraries of Python and for ONNX.

In comes a `Program`; out go functions of arrays (rows, features), or nodes. Start at `RowWriter` in `array_functions`:
a `Library` is what NumPy and PyTorch differ in. `numpy_cells` and `numpy_csv` read rows in an exported file,
`torch_network` has the modules that PyTorch keeps, and `onnx_nodes` names nodes and inputs of a graph.
"""
