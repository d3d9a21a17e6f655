"""HQ-SAM: SAM with one more output token, drawn on features fused from early and late layers of the encoder."""
