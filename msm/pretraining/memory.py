"""Keys of earlier batches, by language: more negatives than a batch holds (CCP)."""

import torch
from torch import Tensor, nn


class Memory(nn.Module):
    """The newest keys of each language; part of the model's state, so that resuming finds it again.

    Args:
        languages: codes.
        size: keys kept of each.
        width: of a key.
    """

    def __init__(self, languages: list[str], size: int, width: int) -> None:
        super().__init__()
        self.numbers = {language: number for number, language in enumerate(languages)}
        self.keys: Tensor
        self.filled: Tensor
        self.register_buffer("keys", torch.zeros(len(languages), size, width))
        self.register_buffer("filled", torch.zeros(len(languages), dtype=torch.long))

    def of(self, language: str) -> Tensor:
        """The keys remembered of a language, newest first, [K, H]."""
        number = self.numbers[language]
        return self.keys[number, : int(self.filled[number])]

    def push(self, language: str, keys: Tensor) -> None:
        """Put keys in front and let the oldest go; keys: [K, H]."""
        number, size = self.numbers[language], self.keys.shape[1]
        kept = torch.cat([keys, self.of(language)])[:size]
        self.keys[number, : len(kept)] = kept
        self.filled[number] = len(kept)
