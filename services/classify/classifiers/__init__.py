"""Networks behind one port: the ONNX one that ships, and any Hugging Face classifier through torch."""
