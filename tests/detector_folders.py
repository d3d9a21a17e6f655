"""OWLv2, Grounding DINO and CLIP with random weights, a few thousand of them, in folders as transformers keeps them."""

import string

_LETTERS = list(string.ascii_lowercase)
_SMALL = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}


def write_owlv2(folder):
    import torch
    import transformers

    torch.manual_seed(0)
    tokens = [*_LETTERS, *(f"{letter}</w>" for letter in _LETTERS), "<|startoftext|>", "<|endoftext|>"]
    vocabulary = {token: i for i, token in enumerate(tokens)}
    end = vocabulary["<|endoftext|>"]
    config = transformers.Owlv2Config(
        text_config={
            **_SMALL,
            "vocab_size": len(tokens),
            "max_position_embeddings": 16,
            "bos_token_id": vocabulary["<|startoftext|>"],
            "eos_token_id": end,
            "pad_token_id": end,
        },
        vision_config={**_SMALL, "image_size": 64, "patch_size": 16},
        projection_dim=16,
    )
    transformers.Owlv2ForObjectDetection(config).save_pretrained(folder)
    transformers.Owlv2Processor(
        image_processor=transformers.Owlv2ImageProcessorPil(size={"height": 64, "width": 64}),
        tokenizer=transformers.CLIPTokenizer(vocab=vocabulary, merges=[], model_max_length=16),
    ).save_pretrained(folder)
    return folder


def write_grounding_dino(folder):
    import torch
    import transformers

    torch.manual_seed(0)
    tokens = [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        "[MASK]",
        ".",
        "?",
        *_LETTERS,
        *(f"##{letter}" for letter in _LETTERS),
    ]
    config = transformers.GroundingDinoConfig(
        backbone_config={
            "model_type": "swin", "image_size": 64, "patch_size": 4, "embed_dim": 12, "depths": [1, 1, 1, 1],
            "num_heads": [1, 2, 2, 2], "window_size": 4, "out_features": ["stage2", "stage3", "stage4"],
            "out_indices": [2, 3, 4],
        },
        text_config={"model_type": "bert", **_SMALL, "vocab_size": len(tokens), "max_position_embeddings": 64},
        d_model=32, encoder_layers=1, decoder_layers=2, encoder_attention_heads=2, decoder_attention_heads=2,
        encoder_ffn_dim=32, decoder_ffn_dim=32, num_queries=12, num_feature_levels=4, max_text_len=32,
    )  # fmt: skip
    transformers.GroundingDinoForObjectDetection(config).save_pretrained(folder)
    transformers.GroundingDinoProcessor(
        image_processor=transformers.GroundingDinoImageProcessorPil(size={"shortest_edge": 64, "longest_edge": 128}),
        tokenizer=transformers.BertTokenizer(vocab={token: i for i, token in enumerate(tokens)}),
    ).save_pretrained(folder)
    return folder


def write_clip(folder):
    import torch
    import transformers

    torch.manual_seed(0)
    tokens = [*_LETTERS, *(f"{letter}</w>" for letter in _LETTERS), "<|startoftext|>", "<|endoftext|>"]
    vocabulary = {token: i for i, token in enumerate(tokens)}
    end = vocabulary["<|endoftext|>"]
    text = {"vocab_size": len(tokens), "max_position_embeddings": 40, "eos_token_id": end, "pad_token_id": end}
    config = transformers.CLIPConfig(
        text_config={**_SMALL, **text, "bos_token_id": vocabulary["<|startoftext|>"]},
        vision_config={**_SMALL, "image_size": 32, "patch_size": 16},
        projection_dim=16,
    )
    transformers.CLIPModel(config).save_pretrained(folder)
    transformers.CLIPProcessor(
        image_processor=transformers.CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size=32),
        tokenizer=transformers.CLIPTokenizer(vocab=vocabulary, merges=[], model_max_length=40),
    ).save_pretrained(folder)
    return folder


WRITERS = {"owlv2": write_owlv2, "grounding-dino": write_grounding_dino}
