"""`ModelCard`: what is known about a model before its weights are loaded. Plain data, no torch."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCard:
    """Name, family, where the checkpoint comes from and under which terms.

    `sha256` is None where the publisher names no hash: then the file's own hash is computed and recorded, and
    `verify` says that it could not be checked. `packaged` weights lie inside the package.
    """

    name: str
    family: str
    title: str
    licence: str
    input_side: int
    num_parameters: int
    source_url: str | None = None
    sha256: str | None = None
    num_bytes: int | None = None
    filename: str | None = None
    packaged: bool = False
    citation: str = ""
    notes: str = ""
    takes_text: bool = False
    aliases: tuple[str, ...] = ()


__all__ = ["ModelCard"]
