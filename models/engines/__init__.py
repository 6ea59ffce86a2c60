"""Networks that run outside of torch: ONNX Runtime and TensorRT behind one interface (`base.Engine`); `choose.choose` picks."""
