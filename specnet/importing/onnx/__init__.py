"""Networks from ONNX files.

In comes a file that nobody trusts; out goes `Imported`, its answers compared. Start at `import_onnx`: `onnx_file`
reads, `onnx_graph` goes through nodes by the table of `onnx_operators`, whose tensors are the kinds of `onnx_terms`.
`onnx_running` runs what lies between layers, by which `recognition` knows it; `onnx_answers` is the end of a graph.
"""
