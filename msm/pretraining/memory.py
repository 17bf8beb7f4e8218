"""The memory of CCP: keys of earlier batches, by language, which serve as further negatives."""

import torch
from torch import Tensor, nn


class Memory(nn.Module):
    """The newest keys of each language. They are part of the model's state, so checkpoints hold them too.

    Args:
        languages: codes of the languages.
        size: largest number of keys that are kept of each language.
        width: number of dimensions of a key.
    """

    def __init__(self, languages: list[str], size: int, width: int) -> None:
        super().__init__()
        self.numbers = {language: number for number, language in enumerate(languages)}
        self.keys: Tensor
        self.filled: Tensor
        self.register_buffer("keys", torch.zeros(len(languages), size, width))
        self.register_buffer("filled", torch.zeros(len(languages), dtype=torch.long))

    def of(self, language: str) -> Tensor:
        """Return the remembered keys of a language, newest first, [K, H]."""
        number = self.numbers[language]
        return self.keys[number, : int(self.filled[number])]

    def push(self, language: str, keys: Tensor) -> None:
        """Add the keys of a batch, [K, H], and drop the oldest ones beyond the size."""
        number, size = self.numbers[language], self.keys.shape[1]
        newest = torch.cat([keys, self.of(language)])[:size]
        self.keys[number, : len(newest)] = newest
        self.filled[number] = len(newest)
