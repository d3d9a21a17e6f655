"""SAM 2, SAM 2.1, EdgeTAM and the tracker of SAM 3, run by Hugging Face's transformers behind `VideoModel`.

families.py says what each is called there, cards.py which checkpoints are known by name, presets.py how large they are;
model.py and object_memory.py are the adapter, loading.py finds and reads checkpoints. Only loading.py imports
transformers, and only on use: it is the optional extra `maskwright[transformers]`.
"""
