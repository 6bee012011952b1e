"""SmolVLA in ONNX Runtime, as ``vla_ros import smolvla`` makes it: pictures, words and joints in, a chunk out."""
