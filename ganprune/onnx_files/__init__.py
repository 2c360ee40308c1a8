"""ONNX files from anywhere: what is checked before they are used, and what they cost."""
