"""Models as functions of whole arrays, for libraries of Python and for ONNX."""
