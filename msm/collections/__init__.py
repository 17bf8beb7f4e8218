"""Collections: questions, passages, judgements and runs, in memory and on disk."""
