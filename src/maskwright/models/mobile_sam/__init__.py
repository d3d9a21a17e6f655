"""MobileSAM: TinyViT in front of SAM's own prompt encoder and mask decoder."""
