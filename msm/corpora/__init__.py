"""From public or constructed text to documents, a tokenizer and training units."""
