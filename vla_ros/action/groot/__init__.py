"""GR00T N1.7 in ONNX Runtime, as ``vla_ros import groot-onnx`` makes it: pictures, words and joints in, a chunk out."""
