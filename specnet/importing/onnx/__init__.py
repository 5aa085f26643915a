"""Import of networks from ONNX files.

In: an untrusted file. Out: `Imported`, after comparison with onnxruntime. Start at `import_onnx`. `onnx_file` reads the
file, `onnx_graph` reads nodes by the table of `onnx_operators`, and `onnx_terms` has the kinds of tensors.
`onnx_running` runs the nodes between layers, so that `recognition` can name them; `onnx_answers` reads the end of a
graph.
"""
