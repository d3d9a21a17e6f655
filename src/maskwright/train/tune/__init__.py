"""Fine-tuning on a user's corrected masks, behind an encoder that stays as it is.

`Example` is a picture with its masks, whatever it was read from; `split_by_group` holds some out; `FeatureCache` keeps
what the encoder makes of each, so that an epoch costs only the decoder; `tune` trains. Nothing here knows stores, data
set formats or reports: `workflows.fine_tune` brings those together.
"""
